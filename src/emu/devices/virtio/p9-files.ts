/**
 * The interface between the 9P protocol and the shared folder: files as handles. A handle is an object that was looked up once,
 * name by name. It stays the same object, whatever happens to its name afterwards.
 *
 * For Linux, names and the targets of links are bytes. Here they are strings with one byte in each character.
 */

/** Linux's error numbers, as the guest's kernel knows them (include/uapi/asm-generic/errno*.h). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOVERFLOW: 75,
  EILSEQ: 84,
  EMSGSIZE: 90,
  ENOTSUP: 95,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

/** A request fails, with the error number that the guest sees. */
export class P9Error extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`9p: error ${errno}`);
    this.errno = errno;
  }
}

/** Kinds of files, in a mode as Linux's st_mode has it. */
export const KIND = { mask: 0o170000, folder: 0o040000, file: 0o100000, link: 0o120000 } as const;

/** How a file is opened. The bits of the protocol are Linux's generic O_ constants. */
export const OPEN = {
  access: 0o3,
  write: 0o1,
  readWrite: 0o2,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  dataSync: 0o10000,
  folder: 0o200000,
  sync: 0o4000000,
} as const;

/** The attributes of a file. */
export interface P9Stat {
  /** Kind and permissions, as in Linux's st_mode. */
  readonly mode: number;
  /** Number of the object: two objects never have the same one, even when they are on different devices. */
  readonly path: bigint;
  /** It changes when the content changes. */
  readonly version: number;
  readonly links: bigint;
  /** Bytes. */
  readonly size: bigint;
  readonly blockSize: bigint;
  /** Units of 512 bytes. */
  readonly blocks: bigint;
  /** Nanoseconds since 1970. */
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
}

/** A time to set: nanoseconds since 1970, or the present time. */
export type P9Time = bigint | 'now';

/** Changes of the attributes of a file. An attribute that is absent stays as it is. */
export interface P9Changes {
  readonly mode?: number | undefined;
  readonly size?: bigint | undefined;
  readonly atime?: P9Time | undefined;
  readonly mtime?: P9Time | undefined;
}

/** An entry of a folder. */
export interface P9Entry {
  readonly name: string;
  readonly path: bigint;
  /** Kind and permissions. */
  readonly mode: number;
}

/** An open file or folder. Everything throws {@link P9Error}. */
export interface P9Open {
  /** The flags that it was opened with, without those that act only once: {@link OPEN}.truncate, {@link OPEN}.exclusive. */
  readonly flags: number;
  /** @returns bytes read into the front of `into`; 0 at the end */
  read(offset: bigint, into: Uint8Array): number;
  /** @returns bytes written */
  write(offset: bigint, data: Uint8Array): number;
  resize(size: bigint): void;
  /**
   * Gives entries to `take`, from the one with this number on (`.` is 0, `..` is 1). It ends when `take` returns false for an
   * entry; the next call begins with that entry.
   */
  list(offset: bigint, take: (entry: P9Entry, next: bigint) => boolean): void;
  /** Writes all data to the disk. */
  sync(): void;
  close(): void;
}

/** A file, folder or anything else that was looked up. Everything that acts throws {@link P9Error}. */
export interface P9Node {
  readonly path: bigint;
  /** A value of {@link KIND}. */
  readonly kind: number;
  /** The folder that it was reached from. For the shared folder it is the shared folder. */
  readonly parent: P9Node;
  /** Counts one more handle. @returns itself */
  hold(): P9Node;
  /** Counts one handle less. */
  release(): void;
  stat(): P9Stat;
  /** Looks a name up in a folder, without following a link. @returns the object, with one more handle */
  child(name: string): P9Node;
  /** @param flags of {@link OPEN} */
  open(flags: number): P9Open;
  /** Creates a file in a folder and opens it. @returns the file, with one more handle */
  create(name: string, flags: number, mode: number): { readonly node: P9Node; readonly open: P9Open };
  makeFolder(name: string, mode: number): P9Stat;
  makeSymlink(name: string, target: string): P9Stat;
  /** Gives an object one more name, in this folder. */
  link(name: string, object: P9Node): void;
  readlink(): string;
  /** Removes a name from a folder. @param folder whether the name is that of a folder */
  remove(name: string, folder: boolean): void;
  /** Moves a name of this folder. */
  rename(name: string, to: P9Node, newName: string): void;
  /** Removes this very object's name. */
  removeItself(): void;
  /** Moves this very object. */
  renameItself(to: P9Node, newName: string): void;
  /** @param open an open file: when it is open for writing, the size is changed through it */
  change(changes: P9Changes, open: P9Open | undefined): void;
}

/** The file system that the shared folder is on. */
export interface P9Space {
  readonly blockSize: number;
  readonly blocks: bigint;
  readonly free: bigint;
  /** Free blocks for the user that runs the emulator. */
  readonly available: bigint;
  readonly files: bigint;
  readonly freeFiles: bigint;
}

/** The place of an object, as a snapshot keeps it. The first of a list is the shared folder. */
export interface P9SavedNode {
  /** Index of its folder in the list, smaller than its own. */
  readonly parent: number;
  /** Undefined when its name was removed. */
  readonly name: string | undefined;
  readonly path: bigint;
  readonly kind: number;
}

/** The shared folder. */
export interface P9Files {
  readonly root: P9Node;
  space(): P9Space;
  /** @returns the list of places, and for each of these objects its index in that list */
  save(nodes: readonly P9Node[]): { readonly nodes: readonly P9SavedNode[]; readonly places: readonly number[] };
  /** Finds saved objects again, at the latest when they are used. @returns the objects, each with one more handle */
  restore(saved: readonly P9SavedNode[]): readonly P9Node[];
}
