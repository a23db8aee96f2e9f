/** Writes all bytes to a file: one system call may write only a part. */
import { writeSync } from 'node:fs';

/**
 * Writes all of `data` at its place: at the file's own position when none is given.
 * @throws Error of the system when the file cannot take it
 */
export function writeWhole(fd: number, data: Uint8Array, position?: number): void {
  for (let done = 0; done < data.length; )
    done += writeSync(fd, data, done, data.length - done, position === undefined ? null : position + done);
}
