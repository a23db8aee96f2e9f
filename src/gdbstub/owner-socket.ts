/** Unix sockets that only the user who runs the program can open. */
import { lstatSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';

/** Bytes of a path that a Unix socket has room for, without the byte 0 behind it (Linux: sun_path of 108). */
const MOST_PATH_BYTES = 107;
/** How long an existing socket is given to answer. */
const ANSWER_MS = 1000;

/** A path at which no socket can be made: the message says why, and what to do. */
export class SocketPathError extends Error {}

/** Does a server listen at a socket? */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const end = (live: boolean): void => {
      probe.destroy();
      resolve(live);
    };
    // One that is too busy to answer is there, too.
    probe.setTimeout(ANSWER_MS, () => end(true));
    probe.once('connect', () => end(true));
    probe.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

/**
 * Makes room for a socket: one that an earlier run left behind is removed, a live one and everything else stays.
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
 * Listens at a Unix socket with mode 0600 from its first moment on.
 * @param ready called when it listens; errors of the system come as the server's `error` event
 * @throws SocketPathError when the path cannot be used
 */
export async function listenForOwner(server: Server, path: string, ready: () => void): Promise<void> {
  await clear(path);
  // The socket is bound within the call: nobody meets it with another mode.
  const before = process.umask(0o177);
  try {
    server.listen(path, ready);
  } finally {
    process.umask(before);
  }
}
