/** Disks in files and on servers (`--drive`). */
import { closeSync, fstatSync, fsyncSync, openSync, readSync } from 'node:fs';
import type { Disk } from '../emu/devices/virtio/block.ts';
import type { Stateful, Wiring } from '../emu/state/fields.ts';
import { isBytes, isMapOf } from '../emu/state/state-check.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';
import { isNbd, type NbdAddress, parseNbd } from './nbd/address.ts';
import { NbdDisk } from './nbd/disk.ts';
import { writeWhole } from './write-whole.ts';

const SECTOR = 512;
/** Bytes of a chunk of changed data. */
const CHUNK = 4096;
/** Most bytes that a disk with copy-on-write keeps in memory. Further writes fail. */
export const MOST_CHANGED = 2 * 2 ** 30;

export interface DriveSpec {
  readonly file: string;
  readonly readOnly: boolean;
  /** Changes are kept in memory and lost at the end. */
  readonly copyOnWrite: boolean;
  /** On a Serial ATA controller instead of being a virtio device. */
  readonly ahci?: boolean;
  /** No format was given: a file whose first bytes are those of an image format is refused. */
  readonly probe?: boolean;
  /** The export of a server, in the place of a file. `file` is its name in messages. */
  readonly nbd?: NbdAddress;
}

/**
 * `FILE[,format=raw][,readonly][,copy-on-write][,bus=virtio|ahci]`, or QEMU's words for these options. FILE can be the address of
 * an NBD server (nbd/address.ts). @throws UsageError
 */
export function parseDrive(text: string): DriveSpec {
  let file: string | undefined;
  let readOnly = false;
  let copyOnWrite = false;
  let ahci = false;
  let probe = true;
  for (const [n, part] of text.split(',').entries()) {
    if (part.startsWith('file=')) file = part.slice(5);
    else if (/^(readonly|read-only)(=on)?$/.test(part)) readOnly = true;
    else if (/^(snapshot=on|copy-on-write)$/.test(part)) copyOnWrite = true;
    else if (/^bus=(virtio|ahci)$/.test(part)) ahci = part === 'bus=ahci';
    else if (part === 'format=raw') probe = false;
    else if (/^(if=(virtio|none)|id=[\w.-]+|media=disk|(readonly|read-only|snapshot)=off)$/.test(part)) continue;
    else if (/^format=/.test(part))
      throw new UsageError(`--drive: ${part} is not read here: use format=raw, or ${serveIt(file ?? 'FILE')}`);
    else if (n === 0) file = part;
    else throw new UsageError(`--drive: unknown part '${part}': use format=raw, readonly, copy-on-write or bus=ahci`);
  }
  if (!file) throw new UsageError(`--drive: '${text}' names no file: write FILE[,readonly][,copy-on-write]`);
  if (ahci && readOnly)
    throw new UsageError(
      `--drive: ${file}: a Serial ATA disk cannot be read-only: use copy-on-write, or leave bus=ahci out`,
    );
  const more = ahci ? { ahci } : {};
  if (isNbd(file)) return { file, readOnly, copyOnWrite, nbd: parseNbd(file), ...more };
  return { file, readOnly, copyOnWrite, ...more, ...(probe && { probe }) };
}

/** What to do with an image that is not raw. */
const serveIt = (file: string): string =>
  `let a server read it, with qemu-nbd -t -k "$PWD/disk.sock" ${file}, and use --drive nbd:unix:disk.sock`;

/** Formats by the bytes at an offset (QEMU's documents of its formats; Microsoft's of VHD and VHDX). */
const FORMATS: readonly { readonly name: string; readonly at: number; readonly magic: string }[] = [
  { name: 'a qcow image', at: 0, magic: 'QFI\xfb' },
  { name: 'a QED image', at: 0, magic: 'QED\0' },
  { name: 'a VMDK image', at: 0, magic: 'KDMV' },
  { name: 'a VMDK image', at: 0, magic: 'COWD' },
  { name: 'a VMDK description', at: 0, magic: '# Disk DescriptorFile' },
  { name: 'a VDI image', at: 0x40, magic: '\x7f\x10\xda\xbe' },
  { name: 'a VHDX image', at: 0, magic: 'vhdxfile' },
  { name: 'a VHD image', at: 0, magic: 'conectix' },
  { name: 'a Parallels image', at: 0, magic: 'WithoutFreeSpace' },
];
const PROBED_BYTES = 0x60;

/** The format of an image that is not raw. */
function formatOf(fd: number): string | undefined {
  const beginning = Buffer.alloc(PROBED_BYTES);
  const text = beginning.subarray(0, readSync(fd, beginning, 0, PROBED_BYTES, 0)).toString('latin1');
  return FORMATS.find(({ at, magic }) => text.startsWith(magic, at))?.name;
}

/** A disk image that the guest reads and writes. */
class FileDisk implements Disk {
  readonly size: number;
  readonly readOnly: boolean;
  private readonly fd: number;

  constructor({ file, readOnly, copyOnWrite, probe }: DriveSpec) {
    this.readOnly = readOnly;
    try {
      this.fd = openSync(file, readOnly || copyOnWrite ? 'r' : 'r+');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const hint = code === 'EACCES' || code === 'EROFS' ? 'add readonly or copy-on-write' : 'check the path';
      throw new UsageError(`--drive: cannot open ${file} (${code}): ${hint}`);
    }
    const stat = fstatSync(this.fd);
    const format = probe && stat.isFile() ? formatOf(this.fd) : undefined;
    const bad = stat.isDirectory()
      ? 'is a folder: give a disk image'
      : format
        ? `is ${format}: ${serveIt(file)}`
        : stat.size === 0
          ? 'is empty: make a disk image of the size that you want'
          : stat.size % SECTOR !== 0
            ? `has ${stat.size} bytes, which is not a whole number of sectors: it is cut short, or no raw image`
            : undefined;
    if (bad) {
      closeSync(this.fd);
      throw new UsageError(`--drive: ${file} ${bad}`);
    }
    this.size = stat.size;
  }

  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    if (readSync(this.fd, out, 0, length, offset) !== length) throw new Error('the file has become shorter');
    return out;
  }

  write(offset: number, data: Uint8Array): void {
    writeWhole(this.fd, data, offset);
  }

  flush(): void {
    try {
      fsyncSync(this.fd);
    } catch (error) {
      // Node's permissions forbid fsync for every file. The system writes the data later.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_ACCESS_DENIED') throw error;
    }
  }
}

/** A disk whose changes stay in memory. */
export class CopyOnWrite implements Disk, Stateful {
  readonly stateFields = ['changed'];
  /** The content of a chunk array never changes: a write replaces the array. So copies of the machine can share it. */
  readonly sharedFields = ['changed'];
  readonly stateChecks = { changed: isMapOf((v) => isBytes(v) && v.length <= CHUNK) };
  static readonly wiring: Wiring = { warned: 'what the user has been told' };
  readonly size: number;
  readonly readOnly = false;
  private readonly below: Disk;
  private readonly changed = new Map<number, Uint8Array>();
  private readonly most: number;
  private warned = false;

  /** @param most bytes of memory, beyond which writes fail */
  constructor(below: Disk, most = MOST_CHANGED) {
    this.below = below;
    this.size = below.size;
    this.most = most;
  }

  /** The guest gets an I/O error, and the user gets one message. */
  private refuse(): never {
    if (!this.warned)
      say(
        `warning: --drive: the changes of a disk with copy-on-write fill ${this.most / 2 ** 20} MiB of memory, further ones fail: let it write to a copy of the file`,
      );
    this.warned = true;
    throw new Error('no memory is left for changes');
  }

  private original(chunk: number): Uint8Array {
    return this.below.read(chunk * CHUNK, Math.min(CHUNK, this.size - chunk * CHUNK));
  }

  /** The parts of a range, by chunk. */
  private *parts(offset: number, length: number): Generator<{ chunk: number; from: number; at: number; size: number }> {
    for (let at = 0; at < length; ) {
      const chunk = Math.floor((offset + at) / CHUNK);
      const from = (offset + at) % CHUNK;
      const size = Math.min(length - at, CHUNK - from);
      yield { chunk, from, at, size };
      at += size;
    }
  }

  read(offset: number, length: number): Uint8Array {
    const out = this.below.read(offset, length);
    for (const { chunk, from, at, size } of this.parts(offset, length)) {
      const mine = this.changed.get(chunk);
      if (mine) out.set(mine.subarray(from, from + size), at);
    }
    return out;
  }

  write(offset: number, data: Uint8Array): void {
    for (const { chunk, from, at, size } of this.parts(offset, data.length)) {
      const mine = this.changed.get(chunk);
      if (!mine && (this.changed.size + 1) * CHUNK > this.most) this.refuse();
      const next = size === CHUNK ? new Uint8Array(CHUNK) : (mine?.slice() ?? this.original(chunk));
      next.set(data.subarray(at, at + size), from);
      this.changed.set(chunk, next);
    }
  }

  flush(): void {}

  ready(call: 'read' | 'write' | 'flush', offset: number, length: number): boolean {
    const { below } = this;
    if (!below.ready || call === 'flush') return true;
    if (call === 'read') return below.ready('read', offset, length);
    // Chunks that are written in part are read first.
    for (const { chunk, size } of this.parts(offset, length)) {
      if (size === CHUNK || this.changed.has(chunk)) continue;
      if ((this.changed.size + 1) * CHUNK > this.most) return true;
      if (!below.ready('read', chunk * CHUNK, Math.min(CHUNK, this.size - chunk * CHUNK))) return false;
      try {
        this.changed.set(chunk, this.original(chunk));
      } catch {
        // The write itself will say so.
        return true;
      }
    }
    return true;
  }
}

/**
 * Opens a disk.
 * @param inSandbox whether the machine will run in a sandbox
 * @throws UsageError when the file or the server is unusable
 */
export function openDrive(spec: DriveSpec, inSandbox = false): Disk {
  const { file, readOnly, copyOnWrite, nbd } = spec;
  const disk = nbd
    ? new NbdDisk(nbd, { name: file, readOnly: readOnly || copyOnWrite, inSandbox })
    : new FileDisk(spec);
  return copyOnWrite ? new CopyOnWrite(disk) : disk;
}
