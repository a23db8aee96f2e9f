/** The client side of the shared folder: raw 9P messages to the device, without a machine. */
import { type P9Server, P9Session, type SavedHandles, VirtioP9 } from '../../src/emu/devices/virtio/p9.ts';
import type { P9Files } from '../../src/emu/devices/virtio/p9-files.ts';
import { P9Reader, P9Writer } from '../../src/emu/devices/virtio/p9-message.ts';

export const T = {
  error: 6,
  statfs: 8,
  open: 12,
  create: 14,
  symlink: 16,
  mknod: 18,
  rename: 20,
  readlink: 22,
  getattr: 24,
  setattr: 26,
  readdir: 40,
  fsync: 50,
  link: 70,
  mkdir: 72,
  renameat: 74,
  unlinkat: 76,
  version: 100,
  attach: 104,
  walk: 110,
  read: 116,
  write: 118,
  clunk: 120,
  remove: 122,
} as const;

/** Open flags of the protocol. */
export const O = { write: 1, readWrite: 2, exclusive: 0o200, truncate: 0o1000, append: 0o2000 } as const;
export const SET = { mode: 1, size: 8, atime: 0x10, mtime: 0x20, atimeSet: 0x80, mtimeSet: 0x100 } as const;
/** Error numbers. */
export const E = {
  EPERM: 1,
  ENOENT: 2,
  ENXIO: 6,
  EBADF: 9,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EFBIG: 27,
  EROFS: 30,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ESTALE: 116,
} as const;

const LEAST_ROOM = 11;

/** An error answer of the device. */
export class Refused extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`refused with ${errno}`);
    this.errno = errno;
  }
}

export interface Attributes {
  readonly path: bigint;
  readonly version: number;
  readonly mode: number;
  readonly links: bigint;
  readonly size: bigint;
  /** Nanoseconds. */
  readonly atime: bigint;
  readonly mtime: bigint;
}

export interface Entry {
  readonly name: string;
  readonly path: bigint;
  readonly next: bigint;
}

export class P9Client {
  readonly device: VirtioP9;
  readonly server: P9Server;
  /** The next fid. */
  fids = 1;

  /** @param behind the shared folder, or the device of a machine */
  constructor(behind: P9Files | VirtioP9) {
    this.device = behind instanceof VirtioP9 ? behind : new VirtioP9('host', new P9Session(behind));
    this.server = (this.device as unknown as { server: P9Server }).server;
  }

  /** The state of the handles that a snapshot keeps. */
  get handles(): SavedHandles {
    return this.device.state.handles;
  }

  set handles(handles: SavedHandles) {
    this.device.state = { ...this.device.state, handles };
  }

  /** Sends raw bytes as a message. @param room size of the buffer for the answer */
  send(message: Uint8Array, room = 65_536): Uint8Array {
    return this.server.answer(message, room);
  }

  /** Sends a well-formed message. @returns the answer behind its header @throws Refused */
  call(type: number, fill: (w: P9Writer) => unknown, room?: number): P9Reader {
    const w = new P9Writer();
    fill(w);
    const answer = this.send(w.message(type, 1), room);
    const r = new P9Reader(answer);
    if (r.u32() !== answer.length || answer.length < LEAST_ROOM - 4) throw new Error('the answer has a wrong length');
    const kind = r.u8();
    r.u16();
    if (kind === T.error + 1) throw new Refused(r.u32());
    if (kind !== type + 1) throw new Error(`message ${type} was answered with ${kind}`);
    return r;
  }

  /** The error number of a request, 0 when it succeeds. */
  static errno(body: () => unknown): number {
    try {
      body();
    } catch (error) {
      if (error instanceof Refused) return error.errno;
      throw error;
    }
    return 0;
  }

  /** Agrees on the version and attaches. @returns the fid of the folder */
  attach(): number {
    this.call(T.version, (w) => w.u32(131_072).text('9P2000.L'));
    const fid = this.fids++;
    this.call(T.attach, (w) => w.u32(fid).u32(0xffffffff).text('').text('').u32(0));
    return fid;
  }

  /** Walks all names. @throws Refused also when only some of them exist */
  walk(from: number, ...names: string[]): number {
    const fid = this.fids++;
    const r = this.call(T.walk, (w) => {
      w.u32(from).u32(fid).u16(names.length);
      for (const n of names) w.text(n);
    });
    if (r.u16() !== names.length) throw new Refused(E.ENOENT);
    return fid;
  }

  open(fid: number, flags = 0): number {
    this.call(T.open, (w) => w.u32(fid).u32(flags));
    return fid;
  }

  create(folder: number, name: string, flags: number = O.readWrite, mode = 0o644): number {
    const fid = this.walk(folder);
    try {
      this.call(T.create, (w) => w.u32(fid).text(name).u32(flags).u32(mode).u32(0));
    } catch (error) {
      this.clunk(fid);
      throw error;
    }
    return fid;
  }

  read(fid: number, offset = 0n, count = 4096): string {
    const r = this.call(T.read, (w) => w.u32(fid).u64(offset).u32(count));
    return Buffer.from(r.raw(r.u32())).toString('latin1');
  }

  write(fid: number, text: string, offset = 0n): number {
    return this.call(T.write, (w) => {
      w.u32(fid).u64(offset).u32(text.length);
      for (const c of text) w.u8(c.charCodeAt(0));
    }).u32();
  }

  attributes(fid: number): Attributes {
    const r = this.call(T.getattr, (w) => w.u32(fid).u64(0x7ffn));
    r.u64();
    r.u8();
    const version = r.u32();
    const path = r.u64();
    const mode = r.u32();
    r.u32();
    r.u32();
    const links = r.u64();
    r.u64();
    const size = r.u64();
    r.u64();
    r.u64();
    const time = (): bigint => r.u64() * 1_000_000_000n + r.u64();
    return { path, version, mode, links, size, atime: time(), mtime: time() };
  }

  set(fid: number, valid: number, { mode = 0, size = 0n, atime = 0n, mtime = 0n } = {}): void {
    this.call(T.setattr, (w) => {
      w.u32(fid).u32(valid).u32(mode).u32(0).u32(0).u64(size);
      for (const t of [atime, mtime]) w.u64(BigInt.asUintN(64, t / 1_000_000_000n)).u64(t % 1_000_000_000n);
    });
  }

  /** The entries of one answer. */
  entries(fid: number, offset = 0n, count = 8192): Entry[] {
    const r = this.call(T.readdir, (w) => w.u32(fid).u64(offset).u32(count));
    const out: Entry[] = [];
    const all = new P9Reader(r.raw(r.u32()));
    for (;;) {
      try {
        all.u8();
      } catch {
        return out;
      }
      all.u32();
      const path = all.u64();
      const next = all.u64();
      all.u8();
      out.push({ name: all.text(), path, next });
    }
  }

  /** All names of a folder, in order. */
  list(fid: number): string[] {
    const names: string[] = [];
    for (let offset = 0n; ; ) {
      const some = this.entries(fid, offset);
      if (some.length === 0) return names.sort();
      names.push(...some.map((e) => e.name));
      offset = some.at(-1)!.next;
    }
  }

  mkdir(folder: number, name: string, mode = 0o755): void {
    this.call(T.mkdir, (w) => w.u32(folder).text(name).u32(mode).u32(0));
  }

  symlink(folder: number, name: string, target: string): void {
    this.call(T.symlink, (w) => w.u32(folder).text(name).text(target).u32(0));
  }

  readlink(fid: number): string {
    return this.call(T.readlink, (w) => w.u32(fid)).text();
  }

  link(folder: number, object: number, name: string): void {
    this.call(T.link, (w) => w.u32(folder).u32(object).text(name));
  }

  unlink(folder: number, name: string, flags = 0): void {
    this.call(T.unlinkat, (w) => w.u32(folder).text(name).u32(flags));
  }

  rename(folder: number, name: string, to: number, newName: string): void {
    this.call(T.renameat, (w) => w.u32(folder).text(name).u32(to).text(newName));
  }

  /** Renames the object of a fid (Trename). */
  renameItself(fid: number, to: number, name: string): void {
    this.call(T.rename, (w) => w.u32(fid).u32(to).text(name));
  }

  /** Removes the object of a fid (Tremove). */
  remove(fid: number): void {
    this.call(T.remove, (w) => w.u32(fid));
  }

  clunk(fid: number): void {
    this.call(T.clunk, (w) => w.u32(fid));
  }
}
