/**
 * An object of the shared folder: a descriptor that stands for it (O_PATH), the folder that it was reached from, and its name
 * there. Names are looked up one at a time below the descriptor of their folder, and no link is followed. So no name leads
 * outside, even if another program or the guest moves files at the same time.
 */
import * as fs from 'node:fs';
import {
  ERRNO,
  KIND,
  OPEN,
  type P9Changes,
  type P9Entry,
  P9Error,
  type P9Node,
  type P9Open,
  type P9Stat,
} from '../../emu/devices/virtio/p9-files.ts';
import type { Descriptors, Parkable } from './descriptors.ts';
import { attempt } from './errors.ts';
import type { ObjectNumbers } from './numbers.ts';
import { hostFlags, OpenFile, OpenFolder } from './open-files.ts';
import { below, itself, LOOK_UP, SAME } from './paths.ts';

/** Permissions that a guest may give: set-user-ID and set-group-ID are not among them. */
const PERMISSIONS = 0o1777;
const FILE_PERMISSIONS = 0o777;
const BIG = { bigint: true } as const;
const SECOND_NS = 1e9;

/** The common data of all objects of a shared folder (tree.ts). */
export interface NodeTree {
  readonly descriptors: Descriptors;
  readonly numbers: ObjectNumbers;
  readonly nodes: Set<SharedNode>;
  /** @throws P9Error when nothing may be changed */
  writable(): void;
  /** @throws P9Error when there are too many objects */
  roomForNode(): void;
  stat(s: fs.BigIntStats): P9Stat;
}

export class SharedNode implements P9Node, Parkable {
  readonly path: bigint;
  readonly kind: number;
  private readonly tree: NodeTree;
  /** The folder that it was reached from; for the shared folder, the shared folder itself. It is kept because `..` is never looked up on the disk. */
  private folder: SharedNode | undefined;
  /** Undefined when its name was removed. */
  name: string | undefined;
  private fd: number;
  private refs = 1;
  private pins = 0;
  /** Objects that were reached from here, by name: all handles of one object share one node. */
  private readonly children = new Map<string, SharedNode>();

  /** @param fd −1: it will be looked up by its name @param folder its folder, for which the caller has counted one more handle */
  constructor(
    tree: NodeTree,
    is: { readonly path: bigint; readonly kind: number },
    place: { readonly folder: SharedNode | undefined; readonly name: string | undefined },
    fd: number,
  ) {
    this.tree = tree;
    this.path = is.path;
    this.kind = is.kind;
    this.folder = place.folder;
    this.name = place.name;
    this.fd = fd;
    tree.nodes.add(this);
    if (place.name !== undefined) place.folder?.children.set(place.name, this);
    if (fd < 0) return;
    if (place.folder) tree.descriptors.used(this);
    else tree.descriptors.fix();
  }

  get parent(): SharedNode {
    return this.folder ?? this;
  }

  hold(): this {
    this.refs++;
    return this;
  }

  release(): void {
    // A loop, not recursion, because a guest can nest folders without limit.
    for (let node: SharedNode | undefined = this; node && --node.refs === 0; ) {
      const { folder }: SharedNode = node;
      node.dispose();
      node = folder;
    }
  }

  private dispose(): void {
    const { tree } = this;
    tree.nodes.delete(this);
    if (this.name !== undefined) this.folder?.forget(this.name, this);
    if (this.fd < 0) return;
    if (this.parkable) tree.descriptors.gone(this);
    else tree.descriptors.unfix();
    fs.closeSync(this.fd);
    this.fd = -1;
  }

  private forget(name: string, child: SharedNode): void {
    if (this.children.get(name) === child) this.children.delete(name);
  }

  get pinned(): boolean {
    return this.pins > 0;
  }

  /** Keeps the descriptor. */
  pin(): void {
    this.pins++;
  }

  unpin(): void {
    this.pins--;
  }

  private get parkable(): boolean {
    return this.folder !== undefined && this.name !== undefined;
  }

  park(): void {
    fs.closeSync(this.fd);
    this.fd = -1;
  }

  /** Changes its folder and name, or removes them. An object without a name can only be reached by its descriptor, which then stays open. */
  private place(folder: SharedNode | undefined, name: string | undefined): void {
    const { descriptors } = this.tree;
    if (this.name !== undefined) this.folder!.forget(this.name, this);
    if (name === undefined) {
      if (this.name !== undefined && this.fd >= 0) {
        descriptors.gone(this);
        descriptors.fix();
      }
      this.name = undefined;
      return;
    }
    if (this.name === undefined && this.fd >= 0) {
      descriptors.unfix();
      descriptors.used(this);
    }
    folder!.hold();
    this.folder!.release();
    this.folder = folder;
    this.name = name;
    folder!.children.set(name, this);
  }

  /** Calls a function with the descriptor. @throws P9Error with ESTALE when the descriptor was given up and the object is not found again */
  use<T>(body: (fd: number) => T): T {
    this.pin();
    try {
      if (this.fd < 0) this.find();
      else if (this.parkable) this.tree.descriptors.used(this);
      return attempt(() => body(this.fd));
    } finally {
      this.unpin();
    }
  }

  /** Looks it up again by its name, together with its folders whose descriptors were given up, too. */
  private find(): void {
    const chain: SharedNode[] = [];
    for (let node: SharedNode = this; node.fd < 0; node = node.parent) {
      if (node.name === undefined || node.folder === undefined) throw new P9Error(ERRNO.ESTALE);
      chain.push(node);
    }
    for (const node of chain.reverse()) node.findBelowParent();
  }

  private findBelowParent(): void {
    const { tree } = this;
    this.parent.use((parent) => {
      tree.descriptors.reserve();
      let fd: number;
      try {
        fd = fs.openSync(below(parent, this.name!), LOOK_UP);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw code === 'ENOENT' || code === 'ENOTDIR' ? new P9Error(ERRNO.ESTALE) : error;
      }
      if (!this.isThis(fs.fstatSync(fd, BIG))) {
        fs.closeSync(fd);
        throw new P9Error(ERRNO.ESTALE);
      }
      this.fd = fd;
      tree.descriptors.used(this);
    });
  }

  private isThis(s: fs.BigIntStats): boolean {
    return this.tree.numbers.of(s.dev, s.ino) === this.path && (Number(s.mode) & KIND.mask) === this.kind;
  }

  /** Does its name still lead to this object? */
  private standsAt(folder: number, name: string): boolean {
    const s = fs.lstatSync(below(folder, name), { bigint: true, throwIfNoEntry: false });
    return s !== undefined && this.isThis(s);
  }

  /** Its folder and its name, if the name still leads to it. @throws P9Error */
  private standing(): { readonly folder: SharedNode; readonly name: string } {
    const { folder, name } = this;
    if (!folder) throw new P9Error(ERRNO.EBUSY);
    if (name === undefined) throw new P9Error(ERRNO.ENOENT);
    if (!folder.use((fd) => this.standsAt(fd, name))) throw new P9Error(ERRNO.ESTALE);
    return { folder, name };
  }

  private needFolder(): void {
    if (this.kind !== KIND.folder) throw new P9Error(ERRNO.ENOTDIR);
  }

  /** Call before a name in this folder changes. */
  private changing(): void {
    this.tree.writable();
    this.needFolder();
  }

  stat(): P9Stat {
    return this.use((fd) => this.tree.stat(fs.fstatSync(fd, BIG)));
  }

  /** The object with a name in this folder, if it is known. */
  entry(name: string): P9Entry | undefined {
    return this.use((fd) => {
      const s = fs.lstatSync(below(fd, name), { bigint: true, throwIfNoEntry: false });
      return s && { name, path: this.tree.numbers.of(s.dev, s.ino), mode: Number(s.mode) };
    });
  }

  child(name: string): SharedNode {
    this.needFolder();
    return this.use((fd) => {
      const path = below(fd, name);
      this.tree.descriptors.reserve();
      return this.adopt(name, fs.openSync(path, LOOK_UP));
    });
  }

  /** The object behind a descriptor, which was found by this name. @param fd the node takes it over @returns the node, with one more handle */
  private adopt(name: string, fd: number): SharedNode {
    const { tree } = this;
    try {
      const s = fs.fstatSync(fd, BIG);
      const known = this.children.get(name);
      if (known?.isThis(s)) {
        if (known.fd < 0) {
          known.fd = fd;
          tree.descriptors.used(known);
        } else fs.closeSync(fd);
        return known.hold();
      }
      tree.roomForNode();
      const is = { path: tree.numbers.of(s.dev, s.ino), kind: Number(s.mode) & KIND.mask };
      return new SharedNode(tree, is, { folder: this.hold(), name }, fd);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  open(flags: number): P9Open {
    const writes = (flags & OPEN.access) !== 0 || (flags & OPEN.truncate) !== 0;
    const host = hostFlags(flags);
    const { descriptors } = this.tree;
    if (this.kind === KIND.link) throw new P9Error(ERRNO.ELOOP);
    if (this.kind === KIND.folder) {
      if (writes) throw new P9Error(ERRNO.EISDIR);
      return new OpenFolder(this, flags, descriptors);
    }
    // Opening a FIFO would wait, and devices of the computer must not be used.
    if (this.kind !== KIND.file) throw new P9Error(ERRNO.ENXIO);
    if (flags & OPEN.folder) throw new P9Error(ERRNO.ENOTDIR);
    if (writes) this.tree.writable();
    return this.use((fd) => {
      descriptors.reserve();
      const truncate = flags & OPEN.truncate ? fs.constants.O_TRUNC : 0;
      return new OpenFile(fs.openSync(itself(fd), host | truncate), flags, descriptors);
    });
  }

  create(name: string, flags: number, mode: number): { readonly node: SharedNode; readonly open: P9Open } {
    this.changing();
    const host = hostFlags(flags);
    const { O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
    const { descriptors } = this.tree;
    try {
      return this.use((fd) => {
        const path = below(fd, name);
        descriptors.reserve(2);
        this.tree.roomForNode();
        // Always with O_EXCL: an existing name could be a FIFO or a device.
        const own = fs.openSync(path, host | O_CREAT | O_EXCL | O_NOFOLLOW, mode & FILE_PERMISSIONS);
        const open = new OpenFile(own, flags, descriptors);
        try {
          return { node: this.adopt(name, fs.openSync(itself(own), SAME)), open };
        } catch (error) {
          open.close();
          throw error;
        }
      });
    } catch (error) {
      if (!(error instanceof P9Error) || error.errno !== ERRNO.EEXIST || flags & OPEN.exclusive) throw error;
    }
    const node = this.child(name);
    try {
      return { node, open: node.open(flags) };
    } catch (error) {
      node.release();
      throw error;
    }
  }

  makeFolder(name: string, mode: number): P9Stat {
    this.changing();
    return this.use((fd) => {
      fs.mkdirSync(below(fd, name), mode & PERMISSIONS);
      return this.tree.stat(fs.lstatSync(below(fd, name), BIG));
    });
  }

  makeSymlink(name: string, target: string): P9Stat {
    this.changing();
    return this.use((fd) => {
      fs.symlinkSync(Buffer.from(target, 'latin1'), below(fd, name));
      return this.tree.stat(fs.lstatSync(below(fd, name), BIG));
    });
  }

  link(name: string, object: SharedNode): void {
    this.changing();
    if (object.kind === KIND.folder) throw new P9Error(ERRNO.EPERM);
    const from = object.standing();
    this.use((to) =>
      from.folder.use((fd) => {
        fs.linkSync(below(fd, from.name), below(to, name));
        // Another program may have replaced the name in the meantime.
        if (object.standsAt(to, name)) return;
        fs.unlinkSync(below(to, name));
        throw new P9Error(ERRNO.ESTALE);
      }),
    );
  }

  readlink(): string {
    if (this.kind !== KIND.link) throw new P9Error(ERRNO.EINVAL);
    const { folder, name } = this.standing();
    return folder.use((fd) => {
      const target = fs.readlinkSync(below(fd, name), 'buffer') as unknown as Buffer;
      if (!this.standsAt(fd, name)) throw new P9Error(ERRNO.ESTALE);
      return target.toString('latin1');
    });
  }

  remove(name: string, folder: boolean): void {
    this.changing();
    this.use((fd) => (folder ? fs.rmdirSync(below(fd, name)) : fs.unlinkSync(below(fd, name))));
    this.children.get(name)?.place(undefined, undefined);
  }

  rename(name: string, to: SharedNode, newName: string): void {
    this.changing();
    to.changing();
    this.use((from) => to.use((fd) => fs.renameSync(below(from, name), below(fd, newName))));
    const moved = this.children.get(name);
    const replaced = to.children.get(newName);
    // Both names lead to one object: then rename(2) does nothing.
    if (moved && moved.path === replaced?.path) return;
    replaced?.place(undefined, undefined);
    if (!moved) return;
    // When another program has moved folders, the new folder can be below the object that is moved.
    for (let above: SharedNode | undefined = to; above; above = above.folder)
      if (above === moved) {
        moved.place(undefined, undefined);
        return;
      }
    moved.place(to, newName);
  }

  removeItself(): void {
    this.tree.writable();
    const { folder, name } = this.standing();
    folder.remove(name, this.kind === KIND.folder);
  }

  renameItself(to: SharedNode, newName: string): void {
    this.tree.writable();
    const { folder, name } = this.standing();
    folder.rename(name, to, newName);
  }

  change(changes: P9Changes, open: P9Open | undefined): void {
    this.tree.writable();
    if (changes.size !== undefined) this.resize(changes.size, open);
    if (changes.mode !== undefined) this.setMode(changes.mode);
    if (changes.atime !== undefined || changes.mtime !== undefined) this.setTimes(changes);
  }

  private resize(size: bigint, open: P9Open | undefined): void {
    if (this.kind === KIND.folder) throw new P9Error(ERRNO.EISDIR);
    if (this.kind !== KIND.file) throw new P9Error(ERRNO.EINVAL);
    // A file that is open for writing may be changed, even if its permissions forbid opening it again.
    if (open instanceof OpenFile && open.writes) {
      open.resize(size);
      return;
    }
    const own = this.open(OPEN.write);
    try {
      own.resize(size);
    } finally {
      own.close();
    }
  }

  private setMode(mode: number): void {
    if (this.kind !== KIND.file && this.kind !== KIND.folder) throw new P9Error(ERRNO.EOPNOTSUPP);
    const allowed = this.kind === KIND.folder ? PERMISSIONS : FILE_PERMISSIONS;
    this.use((fd) => fs.chmodSync(itself(fd), mode & allowed));
  }

  private setTimes({ atime, mtime }: P9Changes): void {
    this.use((fd) => {
      const s = fs.fstatSync(fd, BIG);
      const time = (wanted: bigint | 'now' | undefined, now: bigint): number | Date => {
        if (wanted === 'now') return Date.now() / 1000;
        const ns = wanted ?? now;
        // Node uses the present time for numbers below 0.
        return ns < 0n ? new Date(Number(ns / 1_000_000n)) : Number(ns) / SECOND_NS;
      };
      fs.utimesSync(itself(fd), time(atime, s.atimeNs), time(mtime, s.mtimeNs));
    });
  }
}
