/** Files and folders that the guest has opened. A folder keeps its read position. */
import * as fs from 'node:fs';
import { ERRNO, KIND, OPEN, type P9Entry, P9Error, type P9Open } from '../../emu/devices/virtio/p9-files.ts';
import type { Descriptors } from './descriptors.ts';
import { attempt } from './errors.ts';
import { itself } from './paths.ts';

/** Entries that Node reads from the disk at a time. */
const ENTRIES_AT_A_TIME = 128;
const MOST_OFFSET = BigInt(Number.MAX_SAFE_INTEGER);

/** Flags for open(2) from those of the protocol. When another process has a lease, opening fails instead of waiting. */
export function hostFlags(flags: number): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_DSYNC, O_SYNC, O_NONBLOCK, O_NOCTTY } = fs.constants;
  const access = [O_RDONLY, O_WRONLY, O_RDWR][flags & OPEN.access];
  if (access === undefined) throw new P9Error(ERRNO.EINVAL);
  const sync = flags & OPEN.sync ? O_SYNC : flags & OPEN.dataSync ? O_DSYNC : 0;
  return access | (flags & OPEN.append ? O_APPEND : 0) | sync | O_NONBLOCK | O_NOCTTY;
}

/** An open file. The descriptor decides which operations are allowed. */
export class OpenFile implements P9Open {
  readonly flags: number;
  private readonly fd: number;
  private readonly descriptors: Descriptors;

  /** @param fd the file takes it over */
  constructor(fd: number, flags: number, descriptors: Descriptors) {
    this.fd = fd;
    this.flags = flags & ~(OPEN.truncate | OPEN.exclusive);
    this.descriptors = descriptors;
    descriptors.fix();
  }

  get writes(): boolean {
    return (this.flags & OPEN.access) !== 0;
  }

  read(offset: bigint, into: Uint8Array): number {
    if ((this.flags & OPEN.access) === OPEN.write) throw new P9Error(ERRNO.EBADF);
    // Files cannot be so large.
    if (offset > MOST_OFFSET || into.length === 0) return 0;
    return attempt(() => fs.readSync(this.fd, into, 0, into.length, Number(offset)));
  }

  write(offset: bigint, data: Uint8Array): number {
    if (!this.writes) throw new P9Error(ERRNO.EBADF);
    if (offset > MOST_OFFSET) throw new P9Error(ERRNO.EFBIG);
    if (data.length === 0) return 0;
    return attempt(() => fs.writeSync(this.fd, data, 0, data.length, Number(offset)));
  }

  resize(size: bigint): void {
    if (size > MOST_OFFSET) throw new P9Error(ERRNO.EFBIG);
    attempt(() => fs.ftruncateSync(this.fd, Number(size)));
  }

  list(): void {
    throw new P9Error(ERRNO.ENOTDIR);
  }

  sync(): void {
    attempt(() => fs.fsyncSync(this.fd));
  }

  close(): void {
    fs.closeSync(this.fd);
    this.descriptors.unfix();
  }
}

/** The part of a folder that reading its names needs. */
interface ListedFolder {
  readonly path: bigint;
  readonly parent: { readonly path: bigint };
  use<T>(body: (fd: number) => T): T;
  /** The object with a name in it, if it is known. */
  entry(name: string): P9Entry | undefined;
  hold(): unknown;
  release(): void;
  /** Keeps the descriptor. */
  pin(): void;
  unpin(): void;
}

/**
 * An open folder. Entries are read when the guest asks for them, so a folder of a million entries needs no
 * memory. A position is the number of entries before it. To go back, reading starts again from the beginning.
 */
export class OpenFolder implements P9Open {
  readonly flags: number;
  private readonly node: ListedFolder;
  private readonly descriptors: Descriptors;
  private stream: fs.Dir | undefined;
  /** Number of the entry that comes next, and that entry if it has been read already. */
  private place = 0n;
  private pending: P9Entry | undefined;
  private ended = false;

  constructor(node: ListedFolder, flags: number, descriptors: Descriptors) {
    this.node = node;
    this.flags = flags;
    this.descriptors = descriptors;
    this.stream = this.begin();
    node.pin();
    node.hold();
  }

  private begin(): fs.Dir {
    this.descriptors.reserve();
    const options = { encoding: 'buffer', bufferSize: ENTRIES_AT_A_TIME } as unknown as fs.OpenDirOptions;
    const stream = this.node.use((fd) => fs.opendirSync(itself(fd), options));
    this.descriptors.fix();
    return stream;
  }

  private end(): void {
    if (!this.stream) return;
    this.stream.closeSync();
    this.stream = undefined;
    this.descriptors.unfix();
  }

  private rewind(): void {
    this.end();
    this.place = 0n;
    this.pending = undefined;
    this.ended = false;
    this.stream = this.begin();
  }

  /** The next name that still exists on the disk. */
  private next(): P9Entry | undefined {
    const { node } = this;
    if (this.place === 0n) return { name: '.', path: node.path, mode: KIND.folder };
    // Not those of the disk: the guest must see nothing above the shared folder.
    if (this.place === 1n) return { name: '..', path: node.parent.path, mode: KIND.folder };
    for (;;) {
      const entry = attempt(() => this.stream!.readSync());
      if (!entry) return undefined;
      const name = (entry.name as unknown as Buffer).toString('latin1');
      const found = node.entry(name);
      if (found) return found;
    }
  }

  list(offset: bigint, take: (entry: P9Entry, next: bigint) => boolean): void {
    if (offset < this.place || !this.stream) this.rewind();
    for (;;) {
      if (this.ended) return;
      const entry = this.pending ?? this.next();
      this.pending = entry;
      if (!entry) {
        this.ended = true;
        return;
      }
      if (this.place >= offset && !take(entry, this.place + 1n)) return;
      this.pending = undefined;
      this.place++;
    }
  }

  read(): number {
    throw new P9Error(ERRNO.EISDIR);
  }

  write(): number {
    throw new P9Error(ERRNO.EBADF);
  }

  resize(): void {
    throw new P9Error(ERRNO.EISDIR);
  }

  sync(): void {}

  close(): void {
    this.end();
    this.node.unpin();
    this.node.release();
  }
}
