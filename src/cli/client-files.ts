/**
 * Files that a client of a port names. All of them are below one folder, for any name. A name is followed folder by
 * folder: each is opened in the one before, without following links, so a rename or a link at the same time cannot lead
 * outside. A file that the run did not make is never replaced.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './errors.ts';

/** Linux's O_PATH: a descriptor that only identifies a file or folder. */
const O_PATH = 0o10000000;
const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** Longest name, in bytes, and most files that clients of one run may make. */
const MOST_NAME_BYTES = 1024;
const MOST_FILES = 64;

const code = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** A folder that is open: files are reached through it even when its name has changed. */
interface Folder {
  /** The path of the open folder for the system. */
  readonly path: string;
  close(): void;
}

export class ClientFiles {
  private readonly folder: Folder;
  /** Files that the run has made, by device and inode. Each stays open, so that no other file gets its inode. */
  private readonly made = new Map<string, number>();
  private temporaries = 0;

  /**
   * @param path the folder, as the user names it; it is opened now
   * @throws UsageError when it cannot be opened
   */
  constructor(path: string) {
    try {
      this.folder = openFolder(path);
    } catch (error) {
      throw new UsageError(`--files: cannot open the folder ${path} (${code(error)}): check the path`);
    }
  }

  /**
   * Writes a file. A file with this name is always complete.
   * @throws Error when the name is not allowed, when the run has not made the existing file, or when it cannot be written
   */
  write(name: string, content: Uint8Array): void {
    this.inFolder(name, (folder, last) => {
      const path = join(folder.path, last);
      const before = this.replaceable(name, path);
      const temporary = join(folder.path, `.loongscope-${process.pid}-${this.temporaries++}`);
      try {
        this.create(temporary, content);
        // The name is created first, which fails when it exists. A rename would replace the file of somebody else.
        if (!before) this.create(path, new Uint8Array(0));
        const now = identity(lstatSync(path));
        if (!this.made.has(now)) throw new Error(`${name} was replaced by another program: choose another name`);
        renameSync(temporary, path);
        closeSync(this.made.get(now)!);
        this.made.delete(now);
      } catch (error) {
        this.forget(temporary);
        if (code(error) === 'EEXIST')
          throw new Error(`${name} exists, and this run has not made it: choose another name, or remove it`);
        throw described(error, `${name} cannot be written`);
      }
    });
  }

  /** Says before long work whether {@link write} would refuse the name. @throws Error then */
  mayWrite(name: string): void {
    this.inFolder(name, (folder, last) => void this.replaceable(name, join(folder.path, last)));
  }

  /** The file that a new one would replace. @throws Error when it must not */
  private replaceable(name: string, path: string): Stats | undefined {
    const before = lstatSync(path, { throwIfNoEntry: false });
    if (before && !this.made.has(identity(before)))
      throw new Error(`${name} exists, and this run has not made it: choose another name, or remove it`);
    if (!before && this.made.size >= MOST_FILES)
      throw new Error(`${MOST_FILES} files have been made by this run, which is the most: write over one of them`);
    return before;
  }

  /** The content of a file. @throws Error when the name is not allowed, or it cannot be read */
  read(name: string): Uint8Array {
    return this.inFolder(name, (folder, last) => {
      let fd: number;
      try {
        // Opening a FIFO must not wait.
        fd = openSync(join(folder.path, last), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      } catch (error) {
        throw code(error) === 'ELOOP' ? linkError(name, last) : described(error, `${name} cannot be read`);
      }
      try {
        if (!fstatSync(fd).isFile()) throw new Error(`${name} is no file: choose another name`);
        return new Uint8Array(readFileSync(fd));
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Removes a file that the run has made. */
  private forget(path: string): void {
    const there = lstatSync(path, { throwIfNoEntry: false });
    const fd = there && this.made.get(identity(there));
    if (!there || fd === undefined) return;
    this.made.delete(identity(there));
    closeSync(fd);
    rmSync(path);
  }

  /** Makes a new file. */
  private create(path: string, content: Uint8Array): void {
    const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    this.made.set(identity(fstatSync(fd)), fd);
    for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
  }

  /** Opens the folder that contains the last part of a name. */
  private inFolder<T>(name: string, body: (folder: Folder, last: string) => T): T {
    const parts = partsOf(name);
    const last = parts.pop()!;
    let folder = this.folder;
    const leave = (): void => {
      if (folder !== this.folder) folder.close();
    };
    try {
      for (const part of parts) {
        const next = openSubfolder(folder, part, name);
        leave();
        folder = next;
      }
      return body(folder, last);
    } finally {
      leave();
    }
  }
}

/** The parts of a name. @throws Error when it is not one below the folder */
function partsOf(name: string): string[] {
  const refuse = (why: string): Error =>
    new Error(`${name.slice(0, 100)}: ${why}: files are named below the folder of --files`);
  if (name.includes('\0')) throw new Error('the name has a byte 0: choose another one');
  if (Buffer.byteLength(name) > MOST_NAME_BYTES) throw refuse(`the name is longer than ${MOST_NAME_BYTES} bytes`);
  if (name.startsWith('/')) throw refuse('the name is absolute');
  const parts = name.split('/').filter((p) => p !== '' && p !== '.');
  if (parts.includes('..')) throw refuse("the name has '..'");
  if (parts.length === 0 || name.endsWith('/')) throw refuse('the name is of no file');
  return parts;
}

const linkError = (name: string, part: string): Error =>
  new Error(`${name}: ${part} is a link, and links are not followed: name the place itself`);

/** A message for an error of the system. An error of this program stays as it is. */
function described(error: unknown, what: string): Error {
  if (error instanceof Error && !('code' in error)) return error;
  return new Error(`${what} (${code(error)}): check the name`);
}

const identity = (s: { readonly dev: number; readonly ino: number }): string => `${s.dev}:${s.ino}`;

function openFolder(path: string): Folder {
  if (process.platform !== 'linux') {
    if (!lstatSync(path).isDirectory() && !lstatSync(join(path, '.')).isDirectory())
      throw Object.assign(new Error(path), { code: 'ENOTDIR' });
    return { path, close: () => {} };
  }
  const fd = openSync(path, O_PATH | O_DIRECTORY);
  return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
}

/** Opens a folder in a folder, unless it is a link. */
function openSubfolder(folder: Folder, part: string, name: string): Folder {
  const path = join(folder.path, part);
  try {
    if (lstatSync(path).isSymbolicLink()) throw linkError(name, part);
    if (process.platform !== 'linux') return openFolder(path);
    const fd = openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
  } catch (error) {
    throw described(error, `${name}: the folder ${part} cannot be opened`);
  }
}
