/** The file that keeps notes about hot code between runs. It is optional: without it, or when it is damaged, everything works. */
import { constants, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { HotPages } from '../emu/engine/translator/hot-pages.ts';

/** $XDG_CACHE_HOME/loongscope, or ~/.cache/loongscope. */
export const defaultCacheFile = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'loongscope', 'hot-pages.json');

/** Node's recursive form is not used, because below folders like /proc it never returns. */
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

/** The file. It is opened before the guest runs, because nothing can be opened in the sandbox, and written when the guest has ended. */
export class CodeCache {
  private fd: number | undefined;
  private failure: string | undefined;

  constructor(file: string) {
    try {
      this.fd = openFile(file);
    } catch (error) {
      this.failure = reason(error);
      // Notes in a read-only file are still useful.
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

  /** The notes of earlier runs; empty when the file does not exist or is not readable. */
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
   * Adds the notes of this run to the file. Another process may do the same at this time: each writes everything in one piece. If two
   * writes mix nevertheless, the next run finds invalid JSON and starts again.
   * @returns the reason why it was impossible; undefined on success
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
