/** Disks in files (`--drive`). */
import { closeSync, fstatSync, fsyncSync, openSync, readSync } from 'node:fs';
import type { Disk } from '../emu/devices/virtio/block.ts';
import type { Stateful, Wiring } from '../emu/state/fields.ts';
import { isBytes, isMapOf } from '../emu/state/state-check.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';
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
}

/** `FILE[,format=raw][,readonly][,copy-on-write][,bus=virtio|ahci]`, or QEMU's words for these options. @throws UsageError */
export function parseDrive(text: string): DriveSpec {
  let file: string | undefined;
  let readOnly = false;
  let copyOnWrite = false;
  let ahci = false;
  for (const [n, part] of text.split(',').entries()) {
    if (part.startsWith('file=')) file = part.slice(5);
    else if (/^(readonly|read-only)(=on)?$/.test(part)) readOnly = true;
    else if (/^(snapshot=on|copy-on-write)$/.test(part)) copyOnWrite = true;
    else if (/^bus=(virtio|ahci)$/.test(part)) ahci = part === 'bus=ahci';
    else if (/^(format=raw|if=(virtio|none)|id=[\w.-]+|media=disk|(readonly|read-only|snapshot)=off)$/.test(part))
      continue;
    else if (/^format=/.test(part)) throw new UsageError(`--drive: ${part} is unknown: use format=raw`);
    else if (n === 0) file = part;
    else throw new UsageError(`--drive: unknown part '${part}': use format=raw, readonly, copy-on-write or bus=ahci`);
  }
  if (!file) throw new UsageError(`--drive: '${text}' names no file: write FILE[,readonly][,copy-on-write]`);
  if (ahci && readOnly)
    throw new UsageError(
      `--drive: ${file}: a Serial ATA disk cannot be read-only: use copy-on-write, or leave bus=ahci out`,
    );
  return { file, readOnly, copyOnWrite, ...(ahci && { ahci }) };
}

/** A disk image that the guest reads and writes. */
class FileDisk implements Disk {
  readonly size: number;
  readonly readOnly: boolean;
  private readonly fd: number;

  constructor({ file, readOnly, copyOnWrite }: DriveSpec) {
    this.readOnly = readOnly;
    try {
      this.fd = openSync(file, readOnly || copyOnWrite ? 'r' : 'r+');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const hint = code === 'EACCES' || code === 'EROFS' ? 'add readonly or copy-on-write' : 'check the path';
      throw new UsageError(`--drive: cannot open ${file} (${code}): ${hint}`);
    }
    const stat = fstatSync(this.fd);
    const bad = stat.isDirectory()
      ? 'is a folder: give a disk image'
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
}

/** Opens a disk. @throws UsageError when the file is unusable */
export function openDrive(spec: DriveSpec): Disk {
  const disk = new FileDisk(spec);
  return spec.copyOnWrite ? new CopyOnWrite(disk) : disk;
}
