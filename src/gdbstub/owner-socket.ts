/** Unix sockets that only the user who runs the program can open. */
import { lstatSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';

/** Longest path of a Unix socket, in bytes, without the final zero byte (Linux: sun_path of 108). */
const MOST_PATH_BYTES = 107;
/** Time that an existing socket has to answer. */
const ANSWER_MS = 1000;

/** No socket can be made at the path. The message says why, and what to do. */
export class SocketPathError extends Error {}

/** Does a server listen at a socket? */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const end = (live: boolean): void => {
      probe.destroy();
      resolve(live);
    };
    // A server that is too busy to answer exists, too.
    probe.setTimeout(ANSWER_MS, () => end(true));
    probe.once('connect', () => end(true));
    probe.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

/**
 * Makes room for a socket: removes one that an earlier run has left. A socket in use and any other file stay.
 * @throws SocketPathError when the path cannot be used
 */
async function clear(path: string): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (bytes > MOST_PATH_BYTES)
    throw new SocketPathError(
      `the path of the socket has ${bytes} bytes, and ${MOST_PATH_BYTES} are possible: choose a shorter one`,
    );
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (!there) return;
  if (!there.isSocket())
    throw new SocketPathError(`${path} exists, and is no socket: choose another path, or remove it`);
  if (await answers(path))
    throw new SocketPathError(`another program listens at ${path}: choose another path, or end that program`);
  rmSync(path, { force: true });
}

/**
 * Listens at a Unix socket, which has mode 0600 from the start.
 * @param ready called when it listens; errors of the system come as the server's `error` event
 * @throws SocketPathError when the path cannot be used
 */
export async function listenForOwner(server: Server, path: string, ready: () => void): Promise<void> {
  await clear(path);
  // The socket is bound within this call, so it never exists with another mode.
  const before = process.umask(0o177);
  try {
    server.listen(path, ready);
  } finally {
    process.umask(before);
  }
}
