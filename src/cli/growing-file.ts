/**
 * A file that grows while a guest runs: a log, a trace, recorded packets. Its size is limited. When it is full, the user gets
 * one message, and the machine goes on.
 */
import { closeSync } from 'node:fs';
import { say } from './ending.ts';
import { writeWhole } from './write-whole.ts';

/** Largest size of one file in bytes. */
export const MOST = 4 * 2 ** 30;

export class GrowingFile {
  private readonly fd: number;
  private readonly what: string;
  private left: number;
  private open = true;

  /**
   * @param fd open for writing; closed by {@link close}
   * @param what its name in messages: the option and the file
   * @param most largest size in bytes
   */
  constructor(fd: number, what: string, most = MOST) {
    this.fd = fd;
    this.what = what;
    this.left = most;
  }

  /** Writes `data` as a whole, unless the file is full. */
  write(data: Uint8Array): void {
    if (!this.open) return;
    if (data.length > this.left) {
      this.end('it has reached its limit');
      return;
    }
    this.left -= data.length;
    try {
      writeWhole(this.fd, data);
    } catch (error) {
      this.end(`${(error as NodeJS.ErrnoException).code}`);
    }
  }

  private end(why: string): void {
    say(`warning: ${this.what} takes no more (${why}): what comes from now on is not in it`);
    this.close();
  }

  close(): void {
    if (this.open) closeSync(this.fd);
    this.open = false;
  }
}
