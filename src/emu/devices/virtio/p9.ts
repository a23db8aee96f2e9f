/**
 * A folder of the host inside the guest: the 9P2000.L protocol (as Linux's Documentation/filesystems/9p.rst and diod's protocol.md
 * describe it) over the virtio transport of section 5.10 of Virtual I/O Device 1.0.
 */
import type { Wiring } from '../../replay/fields.ts';
import { requests, VIRTIO_TYPE, type VirtioKind, type VirtioPorts } from './device.ts';
import { P9Reader, P9Writer } from './p9-message.ts';

const MOUNT_TAG_FEATURE = 1;
const VERSION = '9P2000.L';
const MOST_BYTES = 512 * 1024;
const HEADER_BYTES = 7;
/** The count in front of the data of a read, and of a directory. */
const COUNT_BYTES = 4;

/** Messages by number; the answer has the next one. */
const T = {
  error: 6,
  statfs: 8,
  open: 12,
  create: 14,
  symlink: 16,
  rename: 20,
  readlink: 22,
  getattr: 24,
  setattr: 26,
  xattrwalk: 30,
  readdir: 40,
  fsync: 50,
  lock: 52,
  getlock: 54,
  link: 70,
  mkdir: 72,
  renameat: 74,
  unlinkat: 76,
  version: 100,
  attach: 104,
  flush: 108,
  walk: 110,
  read: 116,
  write: 118,
  clunk: 120,
  remove: 122,
} as const;

/** Linux's error numbers. */
export const ERRNO = {
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EROFS: 30,
  ENOTEMPTY: 39,
  EOPNOTSUPP: 95,
} as const;

/** A request that fails, with the number that the guest sees. */
export class P9Error extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`9p: error ${errno}`);
    this.errno = errno;
  }
}

/** What a file is; times in seconds since 1970. */
export interface P9Stat {
  /** Kind and permissions, as in Linux's st_mode. */
  readonly mode: number;
  readonly inode: number;
  readonly links: number;
  readonly size: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** Changes of a file; what is not given stays. */
export interface P9Changes {
  readonly mode?: number | undefined;
  readonly size?: number | undefined;
  readonly mtime?: number | undefined;
}

/**
 * The folder. Paths are lists of names from its root; none is `..` or has a slash. Symbolic links are never followed.
 * Everything throws {@link P9Error}.
 */
export interface P9Files {
  stat(path: readonly string[]): P9Stat;
  list(path: readonly string[]): readonly string[];
  read(path: readonly string[], offset: number, length: number): Uint8Array;
  write(path: readonly string[], offset: number, data: Uint8Array): number;
  create(path: readonly string[], mode: number): void;
  makeFolder(path: readonly string[], mode: number): void;
  link(path: readonly string[], to: readonly string[]): void;
  symlink(path: readonly string[], target: string): void;
  readlink(path: readonly string[]): string;
  rename(from: readonly string[], to: readonly string[]): void;
  remove(path: readonly string[], folder: boolean): void;
  change(path: readonly string[], changes: P9Changes): void;
}

const KIND_MASK = 0o170000;
const FOLDER = 0o040000;
const LINK = 0o120000;
const QID = { folder: 0x80, link: 0x02, file: 0 } as const;
const TRUNCATE = 0o1000;
const REMOVE_FOLDER = 0x200;
const SET = { mode: 1, size: 8, mtime: 0x20, mtimeSet: 0x100 } as const;
const BASIC = 0x7ff;
const BLOCK = 4096;

export class VirtioP9 implements VirtioKind {
  readonly stateFields = ['fids', 'most'];
  static readonly wiring: Wiring = {
    ports: 'the transport',
  };
  readonly name = 'virtio-9p';
  readonly type = VIRTIO_TYPE.p9;
  readonly classCode = 0x000200;
  readonly features = MOUNT_TAG_FEATURE;
  readonly queueCount = 1;
  private readonly tag: string;
  private readonly files: P9Files;
  private ports: VirtioPorts | undefined;
  /** What the guest's handles stand for. */
  private readonly fids = new Map<number, string[]>();
  private most = MOST_BYTES;

  /** @param tag what the guest mounts it by */
  constructor(tag: string, files: P9Files) {
    this.tag = tag;
    this.files = files;
  }

  attach(ports: VirtioPorts): void {
    this.ports = ports;
  }

  reset(): void {
    this.fids.clear();
    this.most = MOST_BYTES;
  }

  config(): Uint8Array {
    const tag = new TextEncoder().encode(this.tag);
    return Uint8Array.from([tag.length & 0xff, tag.length >> 8, ...tag]);
  }

  notified(queue: number): void {
    for (const chain of requests(this.ports!.queues[queue]!)) {
      chain.write(this.answer(chain.read(), Math.min(this.most, chain.writableBytes)));
      this.ports!.complete(queue, chain);
    }
  }

  /** The answer to a message. @param room most bytes of it */
  private answer(message: Uint8Array, room: number): Uint8Array {
    const r = new P9Reader(message);
    const w = new P9Writer();
    let type = 0;
    let tag = 0xffff;
    try {
      r.u32();
      type = r.u8();
      tag = r.u16();
      this.carryOut(type, r, w, room - HEADER_BYTES);
      return w.message(type + 1, tag);
    } catch (error) {
      if (!(error instanceof P9Error) && !(error instanceof RangeError)) throw error;
      const errno = error instanceof P9Error ? error.errno : ERRNO.EINVAL;
      return new P9Writer().u32(errno).message(T.error + 1, tag);
    }
  }

  private path(fid: number): string[] {
    const path = this.fids.get(fid);
    if (!path) throw new P9Error(ERRNO.EBADF);
    return path;
  }

  /** A name below a folder. */
  private below(fid: number, name: string): string[] {
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw new P9Error(ERRNO.EINVAL);
    return [...this.path(fid), name];
  }

  private static qid(w: P9Writer, s: P9Stat): void {
    const kind = s.mode & KIND_MASK;
    w.u8(kind === FOLDER ? QID.folder : kind === LINK ? QID.link : QID.file)
      .u32(Math.floor(s.mtime) >>> 0)
      .u64(s.inode);
  }

  private carryOut(type: number, r: P9Reader, w: P9Writer, room: number): void {
    const { files, fids } = this;
    switch (type) {
      case T.version: {
        this.most = Math.min(MOST_BYTES, Math.max(BLOCK, r.u32()));
        fids.clear();
        w.u32(this.most).text(r.text() === VERSION ? VERSION : 'unknown');
        return;
      }
      case T.attach: {
        fids.set(r.u32(), []);
        VirtioP9.qid(w, files.stat([]));
        return;
      }
      case T.walk:
        this.walk(r, w);
        return;
      case T.clunk:
        fids.delete(r.u32());
        return;
      case T.flush:
      case T.fsync:
        return;
      case T.getattr:
        this.getattr(r, w);
        return;
      case T.setattr:
        this.setattr(r);
        return;
      case T.open: {
        const path = this.path(r.u32());
        if (r.u32() & TRUNCATE) files.change(path, { size: 0 });
        VirtioP9.qid(w, files.stat(path));
        w.u32(0);
        return;
      }
      case T.create: {
        const fid = r.u32();
        const path = this.below(fid, r.text());
        r.u32();
        files.create(path, r.u32());
        fids.set(fid, path);
        VirtioP9.qid(w, files.stat(path));
        w.u32(0);
        return;
      }
      case T.read: {
        const path = this.path(r.u32());
        const offset = r.u64();
        const data = files.read(path, offset, Math.max(0, Math.min(r.u32(), room - COUNT_BYTES)));
        w.u32(data.length).raw(data);
        return;
      }
      case T.write: {
        const path = this.path(r.u32());
        const offset = r.u64();
        w.u32(files.write(path, offset, r.raw(r.u32())));
        return;
      }
      case T.readdir:
        this.readdir(r, w, room);
        return;
      case T.mkdir: {
        const path = this.below(r.u32(), r.text());
        files.makeFolder(path, r.u32());
        VirtioP9.qid(w, files.stat(path));
        return;
      }
      case T.symlink: {
        const path = this.below(r.u32(), r.text());
        files.symlink(path, r.text());
        VirtioP9.qid(w, files.stat(path));
        return;
      }
      case T.readlink:
        w.text(files.readlink(this.path(r.u32())));
        return;
      case T.link: {
        const folder = r.u32();
        const to = this.path(r.u32());
        files.link(this.below(folder, r.text()), to);
        return;
      }
      case T.unlinkat: {
        const path = this.below(r.u32(), r.text());
        files.remove(path, (r.u32() & REMOVE_FOLDER) !== 0);
        return;
      }
      case T.remove: {
        const fid = r.u32();
        const path = this.path(fid);
        fids.delete(fid);
        files.remove(path, (files.stat(path).mode & KIND_MASK) === FOLDER);
        return;
      }
      case T.renameat: {
        const from = this.below(r.u32(), r.text());
        this.moved(from, this.below(r.u32(), r.text()));
        return;
      }
      case T.rename: {
        const from = this.path(r.u32());
        this.moved(from, this.below(r.u32(), r.text()));
        return;
      }
      case T.lock:
        // Nobody else is there to lock against.
        w.u8(0);
        return;
      case T.getlock: {
        r.u32();
        r.u8();
        w.u8(2).u64(r.u64()).u64(r.u64()).u32(r.u32()).text(r.text());
        return;
      }
      case T.statfs:
        w.u32(0x01021997)
          .u32(BLOCK)
          .u64(2 ** 24)
          .u64(2 ** 23)
          .u64(2 ** 23)
          .u64(2 ** 20)
          .u64(2 ** 19)
          .u64(1)
          .u32(255);
        return;
      default:
        throw new P9Error(ERRNO.EOPNOTSUPP);
    }
  }

  /** Handles follow what they stand for. */
  private moved(from: readonly string[], to: readonly string[]): void {
    this.files.rename(from, to);
    for (const [fid, path] of this.fids)
      if (from.every((name, n) => path[n] === name)) this.fids.set(fid, [...to, ...path.slice(from.length)]);
  }

  private walk(r: P9Reader, w: P9Writer): void {
    let path = [...this.path(r.u32())];
    const next = r.u32();
    const names = Array.from({ length: r.u16() }, () => r.text());
    const found: P9Stat[] = [];
    for (const name of names) {
      // What is no folder leads nowhere; links are the guest's to follow.
      const step = name === '..' ? path.slice(0, -1) : [...path, name];
      if (name !== '..' && (name === '' || name === '.' || /[/\0]/.test(name))) throw new P9Error(ERRNO.EINVAL);
      try {
        if ((this.files.stat(path).mode & KIND_MASK) !== FOLDER) throw new P9Error(ERRNO.ENOTDIR);
        found.push(this.files.stat(step));
      } catch (error) {
        if (found.length === 0) throw error;
        break;
      }
      path = step;
    }
    if (found.length === names.length) this.fids.set(next, path);
    w.u16(found.length);
    for (const s of found) VirtioP9.qid(w, s);
  }

  private getattr(r: P9Reader, w: P9Writer): void {
    const s = this.files.stat(this.path(r.u32()));
    w.u64(BASIC);
    VirtioP9.qid(w, s);
    w.u32(s.mode)
      .u32(0)
      .u32(0)
      .u64(s.links)
      .u64(0)
      .u64(s.size)
      .u64(BLOCK)
      .u64(Math.ceil(s.size / 512));
    for (const time of [s.atime, s.mtime, s.ctime, 0]) w.u64(Math.floor(time)).u64(0);
    w.u64(0).u64(0);
  }

  private setattr(r: P9Reader): void {
    const path = this.path(r.u32());
    const valid = r.u32();
    const mode = r.u32();
    r.u32();
    r.u32();
    const size = r.u64();
    r.u64();
    r.u64();
    const seconds = r.u64();
    this.files.change(path, {
      mode: valid & SET.mode ? mode : undefined,
      size: valid & SET.size ? size : undefined,
      mtime: valid & SET.mtimeSet ? seconds : valid & SET.mtime ? -1 : undefined,
    });
  }

  private readdir(r: P9Reader, w: P9Writer, room: number): void {
    const path = this.path(r.u32());
    const offset = r.u64();
    const most = Math.min(r.u32(), room - COUNT_BYTES);
    const names = ['.', '..', ...[...this.files.list(path)].sort()];
    const entries = new P9Writer();
    for (let n = offset; n < names.length; n++) {
      const name = names[n]!;
      const at = name === '.' ? path : name === '..' ? path.slice(0, -1) : [...path, name];
      const one = new P9Writer();
      try {
        const s = this.files.stat(at);
        VirtioP9.qid(one, s);
        one
          .u64(n + 1)
          .u8((s.mode & KIND_MASK) >> 12)
          .text(name);
      } catch {
        // It has gone since the folder was read.
        continue;
      }
      if (entries.length + one.length > most) break;
      entries.raw(one.bytes());
    }
    w.u32(entries.length).raw(entries.bytes());
  }
}
