/** Files that are written while the machine runs. A pipe or terminal without a reader does not stop the program. */
import { constants, fstatSync, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty, WriteStream } from 'node:tty';
import { GrowingFile } from './growing-file.ts';
import { neverBlock, type Reader } from './slow-reader.ts';

const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR, O_TRUNC, O_WRONLY } = constants;

export interface Outlet {
  write(data: string | Uint8Array): void;
  close(): void;
  /** Its stream, if its reader can be slow; undefined for files. */
  readonly reader: Reader | undefined;
}

/**
 * Opens a file for writing.
 * @param what its name in messages: the option and the file
 * @param append whether the output is appended to the present content
 * @throws Error of the system when it cannot be opened
 */
export function openOutlet(path: string, what: string, append = false): Outlet {
  const fifo = statSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
  // A FIFO is opened for reading and writing, so that opening does not wait for a reader.
  const mode = fifo ? O_RDWR | O_NONBLOCK : O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC);
  const fd = openSync(path, mode, 0o666);
  const terminal = isatty(fd);
  if (!fstatSync(fd).isFIFO() && !terminal) return fileOutlet(fd, what);
  const stream = terminal ? new WriteStream(fd) : new Socket({ fd, readable: false, writable: true });
  if (terminal) neverBlock(stream as WriteStream);
  return { write: (data) => void stream.write(data), close: () => void stream.end(), reader: stream };
}

/** The size of a file is limited, so that a guest cannot fill the disk of the computer. */
function fileOutlet(fd: number, what: string): Outlet {
  const file = new GrowingFile(fd, what);
  return {
    write: (data) => file.write(typeof data === 'string' ? Buffer.from(data) : data),
    close: () => file.close(),
    reader: undefined,
  };
}
