/**
 * A shared folder in the guest: the 9P2000.L protocol (as Linux's Documentation/filesystems/9p.rst and diod's protocol.md
 * describe it) over the virtio transport of section 5.10 of Virtual I/O Device 1.0.
 *
 * A number of the guest ("fid") stands for an object that was looked up once (p9-files.ts), not for a path. Nothing that a
 * guest sends is trusted: counts, numbers and names are checked here, and every error gets an error answer.
 */
import type { Wiring } from '../../state/fields.ts';
import { isEvery, isNumber, isObjectWith, isOptional, isText } from '../../state/state-check.ts';
import { requests, VIRTIO_TYPE, type VirtioKind, type VirtioPorts } from './device.ts';
import {
  ERRNO,
  KIND,
  OPEN,
  P9Error,
  type P9Files,
  type P9Node,
  type P9Open,
  type P9SavedNode,
  type P9Stat,
  type P9Time,
} from './p9-files.ts';
import { HEADER_BYTES, P9Reader, P9Writer } from './p9-message.ts';

const MOUNT_TAG_FEATURE = 1;
const VERSION = '9P2000.L';
/** Largest and smallest message size that can be agreed on. */
const MOST_BYTES = 512 * 1024;
export const LEAST_BYTES = 4096;
/** Size of the count in front of the data of a read or a directory. */
const COUNT_BYTES = 4;
/** Most numbers in use at a time. */
const MOST_FIDS = 65_536;
/** Names in one walk, as in Linux's P9_MAXWELEM. */
const MOST_NAMES = 16;
const NO_FID = 0xffffffff;
const NO_TAG = 0xffff;
const SECOND = 1_000_000_000n;
/** A time that is further away than this many seconds is refused. */
const MOST_SECONDS = 2n ** 40n;
const V9FS_MAGIC = 0x01021997;
const MOST_NAME = 255;

/** Messages by number. The answer has the number of its message plus one. */
const T = {
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

const QID = { folder: 0x80, link: 0x02, file: 0 } as const;
const REMOVE_FOLDER = 0x200;
const SET = { mode: 1, size: 8, atime: 0x10, mtime: 0x20, atimeSet: 0x80, mtimeSet: 0x100 } as const;
const BASIC = 0x7ffn;
/** Flags that an open file keeps. */
const LASTING = OPEN.access | OPEN.append | OPEN.dataSync | OPEN.sync;
const UNLOCKED = 2;

/** The object and the open file of one fid. */
interface Fid {
  node: P9Node;
  /** Flags that the file was opened with; −1 when it is not open. */
  flags: number;
  /** Undefined when the file is not open, or when it could not be opened again after a snapshot was loaded. */
  open: P9Open | undefined;
}

interface SavedFid {
  readonly fid: number;
  readonly node: number;
  readonly flags: number;
}

/** The fids as a snapshot keeps them. */
export interface SavedHandles {
  readonly nodes: readonly P9SavedNode[];
  readonly fids: readonly SavedFid[];
}

function qid(w: P9Writer, { mode, path, version }: Pick<P9Stat, 'mode' | 'path' | 'version'>): void {
  const kind = mode & KIND.mask;
  w.u8(kind === KIND.folder ? QID.folder : kind === KIND.link ? QID.link : QID.file)
    .u32(version)
    .u64(path);
}

/** Is this a name in a folder, and not a path that leads out of it? */
const isName = (v: unknown): v is string => isText(v) && v !== '' && v !== '.' && v !== '..' && !/[/\0]/.test(v);

/** A name of a file: not `.` or `..`, without slash or zero. */
function checked(name: string): string {
  if (!isName(name)) throw new P9Error(ERRNO.EINVAL);
  return name;
}

/** The state of the protocol, as data. */
export interface P9State {
  readonly handles: SavedHandles;
  /** Longest message, in bytes. */
  readonly most: number;
  /** In a recorded run: the number of answers so far. */
  readonly answered?: number;
}

/** The server that answers the messages of the guest. */
export interface P9Server {
  /** @param room longest answer, in bytes */
  answer(message: Uint8Array, room: number): Uint8Array;
  /** Forgets everything. */
  reset(): void;
  save(): P9State;
  restore(state: P9State): void;
}

/** Most objects in a saved state: one for each fid, and the folders that lead to them. */
const MOST_SAVED = 2 * MOST_FIDS;

const isShort = (v: unknown): boolean => Array.isArray(v) && v.length <= MOST_SAVED;
const isSavedNode = isObjectWith({
  parent: isNumber,
  name: isOptional(isName),
  path: (v) => typeof v === 'bigint',
  kind: isNumber,
});
const isSavedFid = isObjectWith({ fid: isNumber, node: isNumber, flags: isNumber });
/** Does a state from a file have the form of {@link P9State}? */
const isState = isObjectWith({
  handles: isObjectWith({
    nodes: (v) => isShort(v) && isEvery(isSavedNode)(v),
    fids: (v) => isShort(v) && isEvery(isSavedFid)(v),
  }),
  most: (v) => isNumber(v) && v >= LEAST_BYTES && v <= MOST_BYTES,
  answered: isOptional(isNumber),
});

export class VirtioP9 implements VirtioKind {
  readonly stateFields = ['state'];
  readonly stateChecks = { state: isState };
  static readonly wiring: Wiring = {
    ports: 'the transport',
  };
  readonly name = 'virtio-9p';
  readonly type = VIRTIO_TYPE.p9;
  readonly classCode = 0x000200;
  readonly features = MOUNT_TAG_FEATURE;
  readonly queueCount = 1;
  private readonly tag: string;
  private readonly server: P9Server;
  private ports: VirtioPorts | undefined;

  /** @param tag the name that the guest uses to mount it */
  constructor(tag: string, server: P9Server) {
    this.tag = tag;
    this.server = server;
  }

  attach(ports: VirtioPorts): void {
    this.ports = ports;
  }

  reset(): void {
    this.server.reset();
  }

  get state(): P9State {
    return this.server.save();
  }

  set state(state: P9State) {
    this.server.restore(state);
  }

  config(): Uint8Array {
    const tag = new TextEncoder().encode(this.tag);
    return Uint8Array.from([tag.length & 0xff, tag.length >> 8, ...tag]);
  }

  notified(queue: number): void {
    for (const chain of requests(this.ports!, queue)) {
      // It is too long for a message, so it is not read.
      const message = chain.readableBytes > MOST_BYTES ? new Uint8Array(0) : chain.read();
      chain.write(this.server.answer(message, chain.writableBytes));
      this.ports!.complete(queue, chain);
    }
  }
}

/** The protocol over a shared folder. */
export class P9Session implements P9Server {
  private readonly files: P9Files;
  private readonly fids = new Map<number, Fid>();
  private most = MOST_BYTES;

  constructor(files: P9Files) {
    this.files = files;
  }

  reset(): void {
    this.forgetAll();
    this.most = MOST_BYTES;
  }

  save(): P9State {
    return { handles: this.handles, most: this.most };
  }

  restore({ handles, most }: P9State): void {
    this.handles = handles;
    this.most = most;
  }

  /**
   * The handles as data. An open file cannot be saved. When the state is restored, the file is found again by its name, unless
   * it is still open here. When the name leads to another object, the fid answers ESTALE.
   */
  get handles(): SavedHandles {
    const all = [...this.fids];
    const { nodes, places } = this.files.save(all.map(([, { node }]) => node));
    return { nodes, fids: all.map(([fid, { flags }], n) => ({ fid, node: places[n]!, flags })) };
  }

  set handles({ nodes, fids }: SavedHandles) {
    const before = new Map(this.fids);
    this.fids.clear();
    const found = this.files.restore(nodes);
    for (const { fid, node: place, flags } of fids) {
      const node = found[place];
      if (!node) continue;
      const old = before.get(fid);
      const now: Fid = { node: node.hold(), flags, open: undefined };
      this.fids.set(fid, now);
      if (flags < 0) continue;
      if (old?.open && old.node === node && old.flags === flags) {
        now.open = old.open;
        old.open = undefined;
      } else now.open = P9Session.reopened(node, flags);
    }
    for (const node of found) node.release();
    for (const old of before.values()) P9Session.forget(old);
  }

  private static reopened(node: P9Node, flags: number): P9Open | undefined {
    try {
      return node.open(flags & LASTING);
    } catch (error) {
      if (error instanceof P9Error) return undefined;
      throw error;
    }
  }

  private static forget({ node, open }: Fid): void {
    open?.close();
    node.release();
  }

  private forgetAll(): void {
    for (const fid of this.fids.values()) P9Session.forget(fid);
    this.fids.clear();
  }

  answer(message: Uint8Array, space: number): Uint8Array {
    const room = Math.min(this.most, space);
    const w = new P9Writer();
    let tag = NO_TAG;
    try {
      const size = new P9Reader(message).u32();
      if (size > message.length) throw new P9Error(ERRNO.EINVAL);
      const r = new P9Reader(message.subarray(4, Math.max(size, 4)));
      const type = r.u8();
      tag = r.u16();
      if (size > this.most) throw new P9Error(ERRNO.EMSGSIZE);
      this.carryOut(type, r, w, room - HEADER_BYTES);
      if (w.length > room - HEADER_BYTES) throw new P9Error(ERRNO.EMSGSIZE);
      return w.message(type + 1, tag);
    } catch (error) {
      if (!(error instanceof P9Error) && !(error instanceof RangeError)) throw error;
      const errno = error instanceof P9Error ? error.errno : ERRNO.EINVAL;
      return new P9Writer().u32(errno).message(T.error + 1, tag);
    }
  }

  private fid(number: number): Fid {
    const fid = this.fids.get(number);
    if (!fid) throw new P9Error(ERRNO.EBADF);
    return fid;
  }

  private node(number: number): P9Node {
    return this.fid(number).node;
  }

  /** The fid, which must not be open yet. */
  private closed(number: number): Fid {
    const fid = this.fid(number);
    if (fid.flags >= 0) throw new P9Error(ERRNO.EINVAL);
    return fid;
  }

  private open(number: number): P9Open {
    const { open, flags } = this.fid(number);
    if (!open) throw new P9Error(flags < 0 ? ERRNO.EBADF : ERRNO.ESTALE);
    return open;
  }

  /** Can this number be used for a new fid? */
  private fresh(number: number): void {
    if (number === NO_FID || this.fids.has(number)) throw new P9Error(ERRNO.EINVAL);
    if (this.fids.size >= MOST_FIDS) throw new P9Error(ERRNO.ENFILE);
  }

  private carryOut(type: number, r: P9Reader, w: P9Writer, room: number): void {
    const { files, fids } = this;
    switch (type) {
      case T.version: {
        const wanted = r.u32();
        const version = r.text();
        if (wanted < LEAST_BYTES) throw new P9Error(ERRNO.EMSGSIZE);
        this.forgetAll();
        this.most = Math.min(MOST_BYTES, wanted);
        w.u32(this.most).text(version === VERSION ? VERSION : 'unknown');
        return;
      }
      case T.attach: {
        const fid = r.u32();
        this.fresh(fid);
        qid(w, files.root.stat());
        fids.set(fid, { node: files.root.hold(), flags: -1, open: undefined });
        return;
      }
      case T.walk:
        this.walk(r, w);
        return;
      case T.clunk: {
        const number = r.u32();
        const fid = this.fid(number);
        fids.delete(number);
        P9Session.forget(fid);
        return;
      }
      case T.flush:
        // Each request is answered before the next one is read.
        return;
      case T.fsync:
        this.open(r.u32()).sync();
        return;
      case T.getattr:
        this.getattr(r, w);
        return;
      case T.setattr:
        this.setattr(r);
        return;
      case T.open: {
        const fid = this.closed(r.u32());
        const flags = r.u32();
        fid.open = fid.node.open(flags);
        fid.flags = flags & LASTING;
        qid(w, fid.node.stat());
        w.u32(0);
        return;
      }
      case T.create: {
        const fid = this.closed(r.u32());
        const name = checked(r.text());
        const flags = r.u32();
        const { node, open } = fid.node.create(name, flags, r.u32());
        fid.node.release();
        Object.assign(fid, { node, open, flags: flags & LASTING });
        qid(w, node.stat());
        w.u32(0);
        return;
      }
      case T.read: {
        const open = this.open(r.u32());
        const offset = r.u64();
        const count = Math.min(r.u32(), room - COUNT_BYTES);
        if (count < 0) throw new P9Error(ERRNO.EINVAL);
        w.data(count, (into) => open.read(offset, into));
        return;
      }
      case T.write: {
        const open = this.open(r.u32());
        const offset = r.u64();
        w.u32(open.write(offset, r.raw(r.u32())));
        return;
      }
      case T.readdir:
        this.readdir(r, w, room);
        return;
      case T.mkdir: {
        const folder = this.node(r.u32());
        const name = checked(r.text());
        qid(w, folder.makeFolder(name, r.u32()));
        return;
      }
      case T.symlink: {
        const folder = this.node(r.u32());
        const name = checked(r.text());
        const target = r.text();
        if (target === '' || target.includes('\0')) throw new P9Error(ERRNO.EINVAL);
        qid(w, folder.makeSymlink(name, target));
        return;
      }
      case T.readlink:
        w.text(this.node(r.u32()).readlink());
        return;
      case T.link: {
        const folder = this.node(r.u32());
        const object = this.node(r.u32());
        folder.link(checked(r.text()), object);
        return;
      }
      case T.unlinkat: {
        const folder = this.node(r.u32());
        const name = checked(r.text());
        folder.remove(name, (r.u32() & REMOVE_FOLDER) !== 0);
        return;
      }
      case T.remove: {
        const number = r.u32();
        const fid = this.fid(number);
        fids.delete(number);
        try {
          fid.node.removeItself();
        } finally {
          P9Session.forget(fid);
        }
        return;
      }
      case T.renameat: {
        const folder = this.node(r.u32());
        const name = checked(r.text());
        const to = this.node(r.u32());
        folder.rename(name, to, checked(r.text()));
        return;
      }
      case T.rename: {
        const object = this.node(r.u32());
        const to = this.node(r.u32());
        object.renameItself(to, checked(r.text()));
        return;
      }
      case T.lock:
        // There is no other client, so every lock succeeds.
        this.fid(r.u32());
        w.u8(0);
        return;
      case T.getlock: {
        this.fid(r.u32());
        r.u8();
        w.u8(UNLOCKED).u64(r.u64()).u64(r.u64()).u32(r.u32()).text(r.text());
        return;
      }
      case T.statfs: {
        this.fid(r.u32());
        const s = files.space();
        w.u32(V9FS_MAGIC).u32(s.blockSize);
        for (const n of [s.blocks, s.free, s.available, s.files, s.freeFiles, 1n]) w.u64(n);
        w.u32(MOST_NAME);
        return;
      }
      case T.mknod:
        // A guest must not open FIFOs, sockets and devices of the computer.
        throw new P9Error(ERRNO.EPERM);
      default:
        throw new P9Error(ERRNO.EOPNOTSUPP);
    }
  }

  /**
   * Walks from one object to another, name by name. The protocol demands an object that is not open. Linux also walks from open
   * ones, which is harmless when the fid stays the same.
   */
  private walk(r: P9Reader, w: P9Writer): void {
    const number = r.u32();
    const next = r.u32();
    const from = this.fid(number);
    const count = r.u16();
    if (count > MOST_NAMES) throw new P9Error(ERRNO.EINVAL);
    const names = Array.from({ length: count }, () => r.text());
    for (const name of names) if (name !== '..') checked(name);
    if (next !== number) this.fresh(next);
    else if (from.flags >= 0) throw new P9Error(ERRNO.EINVAL);
    let node = from.node.hold();
    const found: P9Stat[] = [];
    try {
      for (const name of names) {
        let step: P9Node;
        try {
          // Only a folder can be walked into. The guest follows links itself.
          if (node.kind !== KIND.folder) throw new P9Error(ERRNO.ENOTDIR);
          step = name === '..' ? node.parent.hold() : node.child(name);
        } catch (error) {
          if (found.length === 0 || !(error instanceof P9Error)) throw error;
          break;
        }
        node.release();
        node = step;
        found.push(node.stat());
      }
      if (found.length === names.length) {
        if (next === number) from.node.release();
        this.fids.set(next, { node: node.hold(), flags: -1, open: undefined });
      }
    } finally {
      node.release();
    }
    w.u16(found.length);
    for (const s of found) qid(w, s);
  }

  private getattr(r: P9Reader, w: P9Writer): void {
    const s = this.node(r.u32()).stat();
    w.u64(BASIC);
    qid(w, s);
    w.u32(s.mode)
      // Everything belongs to root, and there are no devices.
      .u32(0)
      .u32(0)
      .u64(s.links)
      .u64(0n)
      .u64(s.size)
      .u64(s.blockSize)
      .u64(s.blocks);
    for (const time of [s.atime, s.mtime, s.ctime]) {
      const part = ((time % SECOND) + SECOND) % SECOND;
      w.u64(BigInt.asUintN(64, (time - part) / SECOND)).u64(part);
    }
    // Birth time, generation and data version are not known.
    for (let n = 0; n < 4; n++) w.u64(0n);
  }

  private setattr(r: P9Reader): void {
    const { node, open } = this.fid(r.u32());
    const valid = r.u32();
    const mode = r.u32();
    // Owner and group cannot change: the user that runs the emulator may not give files away.
    r.u32();
    r.u32();
    const size = r.u64();
    const time = (set: number, given: number): P9Time | undefined => {
      const seconds = BigInt.asIntN(64, r.u64());
      const part = r.u64();
      if ((valid & set) === 0) return undefined;
      if ((valid & given) === 0) return 'now';
      if (seconds > MOST_SECONDS || seconds < -MOST_SECONDS || part >= SECOND) throw new P9Error(ERRNO.EINVAL);
      return seconds * SECOND + part;
    };
    const atime = time(SET.atime, SET.atimeSet);
    const mtime = time(SET.mtime, SET.mtimeSet);
    const changes = {
      mode: valid & SET.mode ? mode : undefined,
      size: valid & SET.size ? size : undefined,
      atime,
      mtime,
    };
    node.change(changes, open);
  }

  private readdir(r: P9Reader, w: P9Writer, room: number): void {
    const open = this.open(r.u32());
    const offset = r.u64();
    const most = Math.min(r.u32(), room - COUNT_BYTES);
    w.u32(0);
    let full = false;
    open.list(offset, ({ name, path, mode }, next) => {
      const before = w.length;
      qid(w, { mode, path, version: 0 });
      w.u64(next)
        .u8((mode & KIND.mask) >> 12)
        .text(name);
      if (w.length - COUNT_BYTES <= most) return true;
      w.cut(before);
      full = true;
      return false;
    });
    // An empty answer would mean the end of the folder.
    if (full && w.length === COUNT_BYTES) throw new P9Error(ERRNO.EINVAL);
    w.patch32(0, w.length - COUNT_BYTES);
  }
}
