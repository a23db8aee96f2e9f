/** The file in which hot code is remembered from run to run. Without it, or with a damaged one, everything works as well. */
import { constants, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { HotPages } from '../emu/engine/translator/hot-pages.ts';

/** $XDG_CACHE_HOME/loongscope, or ~/.cache/loongscope. */
export const defaultCacheFile = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'loongscope', 'hot-pages.json');

/** Not Node's recursive form: in places like /proc that never comes back. */
function makeFolder(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder);
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Opens a file for reading and writing, and makes it when it is not there. */
function openFile(file: string): number {
  makeFolder(dirname(dirname(file)));
  makeFolder(dirname(file));
  return openSync(file, constants.O_RDWR | constants.O_CREAT, 0o644);
}

/** The file, opened before the guest runs and written when it has ended: behind the wall nothing can be opened any more. */
export class CodeCache {
  private fd: number | undefined;
  private failure: string | undefined;

  constructor(file: string) {
    try {
      this.fd = openFile(file);
    } catch (error) {
      this.failure = reason(error);
      // Notes that cannot be added to are of use all the same.
      if (existsSync(file)) this.openToRead(file);
    }
  }

  private openToRead(file: string): void {
    try {
      this.fd = openSync(file, 'r');
    } catch {
      this.fd = undefined;
    }
  }

  /** What earlier runs have noted; nothing when the file is not there or not readable. */
  read(): HotPages {
    if (this.fd === undefined) return new HotPages();
    try {
      const bytes = Buffer.alloc(fstatSync(this.fd).size);
      return HotPages.parse(bytes.toString('utf8', 0, readSync(this.fd, bytes, 0, bytes.length, 0)));
    } catch {
      return new HotPages();
    }
  }

  /**
   * Adds this run's notes to the file. Another process may do the same: each writes everything in one piece, and where two
   * mix nevertheless, the next run finds no JSON and begins anew.
   * @returns why it was not possible, undefined when it was
   */
  write(pages: HotPages): string | undefined {
    if (this.fd === undefined || this.failure !== undefined) return this.failure;
    try {
      pages.merge(this.read());
      const bytes = Buffer.from(pages.serialize());
      const written = writeSync(this.fd, bytes, 0, bytes.length, 0);
      ftruncateSync(this.fd, written);
      return undefined;
    } catch (error) {
      return reason(error);
    }
  }
}
