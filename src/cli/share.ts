/** A folder of the host for the guest (`--share`). */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { ERRNO, type P9Changes, P9Error, type P9Files, type P9Stat } from '../emu/devices/virtio/p9.ts';
import { UsageError } from './errors.ts';

export interface ShareSpec {
  readonly folder: string;
  readonly tag: string;
  readonly readOnly: boolean;
}

/** `FOLDER[,tag=NAME][,readonly]`. @throws UsageError */
export function parseShare(text: string): ShareSpec {
  const [folder, ...rest] = text.split(',');
  let tag = 'host';
  let readOnly = false;
  for (const part of rest) {
    if (/^tag=[\w.-]{1,31}$/.test(part)) tag = part.slice(4);
    else if (part === 'readonly') readOnly = true;
    else throw new UsageError(`--share: unknown part '${part}': use tag=NAME or readonly`);
  }
  if (!folder) throw new UsageError(`--share: '${text}' names no folder: write FOLDER[,tag=NAME][,readonly]`);
  return { folder, tag, readOnly };
}

/** Runs what touches the host; its errors become the guest's. */
function attempt<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw new P9Error(
      (ERRNO as Readonly<Record<string, number>>)[code] ?? (code === 'EPERM' ? ERRNO.EACCES : ERRNO.EIO),
    );
  }
}

/** Files below a folder. Names come one by one, and links are not followed, so nothing outside is reached. */
class Share implements P9Files {
  private readonly root: string;
  private readonly readOnly: boolean;

  constructor({ folder, readOnly }: ShareSpec) {
    try {
      if (!fs.statSync(folder).isDirectory()) throw new UsageError(`--share: ${folder} is no folder: give a folder`);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`--share: cannot read ${folder} (${(error as NodeJS.ErrnoException).code}): check the path`);
    }
    this.root = fs.realpathSync(folder);
    this.readOnly = readOnly;
  }

  private at(path: readonly string[]): string {
    return join(this.root, ...path);
  }

  private changing(): void {
    if (this.readOnly) throw new P9Error(ERRNO.EROFS);
  }

  /** Opens a file itself, never what a link leads to. */
  private opened<T>(path: readonly string[], flags: number, body: (fd: number) => T): T {
    return attempt(() => {
      const fd = fs.openSync(this.at(path), flags | fs.constants.O_NOFOLLOW);
      try {
        return body(fd);
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  stat(path: readonly string[]): P9Stat {
    return attempt(() => {
      const s = fs.lstatSync(this.at(path));
      const seconds = (ms: number): number => Math.max(0, ms / 1000);
      return {
        mode: s.mode,
        inode: s.ino,
        links: s.nlink,
        size: s.size,
        atime: seconds(s.atimeMs),
        mtime: seconds(s.mtimeMs),
        ctime: seconds(s.ctimeMs),
      };
    });
  }

  list(path: readonly string[]): readonly string[] {
    return attempt(() => fs.readdirSync(this.at(path)));
  }

  read(path: readonly string[], offset: number, length: number): Uint8Array {
    return this.opened(path, fs.constants.O_RDONLY, (fd) => {
      const out = new Uint8Array(length);
      return out.subarray(0, fs.readSync(fd, out, 0, length, offset));
    });
  }

  write(path: readonly string[], offset: number, data: Uint8Array): number {
    this.changing();
    return this.opened(path, fs.constants.O_WRONLY, (fd) => fs.writeSync(fd, data, 0, data.length, offset));
  }

  create(path: readonly string[], mode: number): void {
    this.changing();
    attempt(() => fs.closeSync(fs.openSync(this.at(path), 'wx', mode & 0o777)));
  }

  makeFolder(path: readonly string[], mode: number): void {
    this.changing();
    attempt(() => fs.mkdirSync(this.at(path), mode & 0o777));
  }

  link(path: readonly string[], to: readonly string[]): void {
    this.changing();
    attempt(() => fs.linkSync(this.at(to), this.at(path)));
  }

  symlink(path: readonly string[], target: string): void {
    this.changing();
    attempt(() => fs.symlinkSync(target, this.at(path)));
  }

  readlink(path: readonly string[]): string {
    return attempt(() => fs.readlinkSync(this.at(path)));
  }

  rename(from: readonly string[], to: readonly string[]): void {
    this.changing();
    attempt(() => fs.renameSync(this.at(from), this.at(to)));
  }

  remove(path: readonly string[], folder: boolean): void {
    this.changing();
    attempt(() => (folder ? fs.rmdirSync(this.at(path)) : fs.unlinkSync(this.at(path))));
  }

  change(path: readonly string[], { mode, size, mtime }: P9Changes): void {
    this.changing();
    if (size !== undefined) this.opened(path, fs.constants.O_WRONLY, (fd) => fs.ftruncateSync(fd, size));
    if (mode !== undefined) this.opened(path, fs.constants.O_RDONLY, (fd) => fs.fchmodSync(fd, mode & 0o777));
    if (mtime !== undefined) {
      const when = mtime < 0 ? Date.now() / 1000 : mtime;
      attempt(() => fs.lutimesSync(this.at(path), when, when));
    }
  }
}

/** @throws UsageError when the folder cannot be read */
export const openShare = (spec: ShareSpec): P9Files => new Share(spec);
