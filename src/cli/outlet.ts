/** Files that are written while the machine runs. A pipe or terminal that nobody reads does not stop the program. */
import { constants, fstatSync, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty, WriteStream } from 'node:tty';
import { GrowingFile } from './growing-file.ts';
import { neverBlock, type Reader } from './slow-reader.ts';

const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR, O_TRUNC, O_WRONLY } = constants;

export interface Outlet {
  write(data: string | Uint8Array): void;
  close(): void;
  /** The stream behind it, where its reader can be slow; undefined for files. */
  readonly reader: Reader | undefined;
}

/**
 * Opens a file for writing.
 * @param what its name in messages: the option and the file
 * @param append whether it is written behind what is there
 * @throws Error of the system when it cannot be opened
 */
export function openOutlet(path: string, what: string, append = false): Outlet {
  const fifo = statSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
  // A FIFO is opened for both, so that nobody waits for its reader to come.
  const mode = fifo ? O_RDWR | O_NONBLOCK : O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC);
  const fd = openSync(path, mode, 0o666);
  const terminal = isatty(fd);
  if (!fstatSync(fd).isFIFO() && !terminal) return fileOutlet(fd, what);
  const stream = terminal ? new WriteStream(fd) : new Socket({ fd, readable: false, writable: true });
  if (terminal) neverBlock(stream as WriteStream);
  return { write: (data) => void stream.write(data), close: () => void stream.end(), reader: stream };
}

/** A file takes a limited number of bytes, and then no more: a guest must not fill the host's disk. */
function fileOutlet(fd: number, what: string): Outlet {
  const file = new GrowingFile(fd, what);
  return {
    write: (data) => file.write(typeof data === 'string' ? Buffer.from(data) : data),
    close: () => file.close(),
    reader: undefined,
  };
}
