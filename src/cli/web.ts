/** `loongscope web`: the browser edition, served on loopback, and where it is asked for, gdb at the machine in the page. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Address, SocketPathError } from '../gdbstub/server.ts';
import { TOKEN_NAME } from '../web/bridge-frames.ts';
import { say } from './ending.ts';
import { EXIT, UsageError } from './errors.ts';
import { PROJECT_ROOT } from './paths.ts';
import { GdbBridge } from './web-bridge.ts';

/** One file: its build puts everything into it. */
const PAGE = join(PROJECT_ROOT, 'build', 'web', 'index.html');
const HOST = '127.0.0.1';
const LOOPBACK = [HOST, 'localhost', '::1'];
/** No other site may show the page inside its own, or learn its address. */
const HEAD = {
  'content-type': 'text/html; charset=utf-8',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "frame-ancestors 'none'",
};

export interface WebCli {
  /** 0: a free one. */
  readonly port: number;
  /** Where gdb may connect. */
  readonly gdb?: Address | undefined;
}

/**
 * Serves the page until the program is ended.
 * @throws UsageError when there is no page, or an address cannot be used
 */
export async function web({ port, gdb }: WebCli): Promise<number> {
  if (gdb && 'host' in gdb && !LOOPBACK.includes(gdb.host))
    throw new UsageError(
      `--gdb: ${gdb.host} is not loopback, and the page is for this computer alone: give a port, or unix:PATH`,
    );
  if (!existsSync(PAGE)) throw new UsageError('the page is not built: run ./scripts/build-web');
  const page = readFileSync(PAGE);
  let hosts: readonly string[] = [];
  let token = '';
  // A name of somebody else's that leads to this computer is not ours, and neither is a page of another site.
  const asksUs = ({ headers }: IncomingMessage): boolean => hosts.includes(headers.host ?? '');
  const server = createServer((request, answer) => {
    const path = URL.parse(request.url ?? '/', 'http://page')?.pathname;
    const wanted = asksUs(request) && (path === '/' || path === '/index.html');
    answer.writeHead(wanted ? 200 : 404, HEAD).end(wanted ? page : 'there is only /');
  });
  const where = (): string => `http://${hosts[0]}/${token && `?${TOKEN_NAME}=${token}`}`;
  const bridge =
    gdb &&
    (await GdbBridge.make({
      page: where,
      isOwn: (request) => asksUs(request) && request.headers.origin === `http://${request.headers.host}`,
      tell: say,
    }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new UsageError(`cannot listen on port ${port} (${error.code}): choose another with --port`)),
    );
    server.listen(port, HOST, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  hosts = [HOST, 'localhost'].map((name) => `${name}:${bound}`);
  if (bridge) {
    token = bridge.token;
    server.on('upgrade', (request, socket, head) => bridge.upgrade(request, socket, head));
    try {
      say(`gdb: target remote ${await bridge.listen(gdb)}, when the page is open`);
    } catch (error) {
      server.close();
      if (error instanceof SocketPathError) throw new UsageError(`cannot listen for gdb: ${error.message}`);
      throw new UsageError(`cannot listen for gdb (${(error as NodeJS.ErrnoException).code}): choose another address`);
    }
  }
  say(`the page is at ${where()} and as a file, ${PAGE}; Ctrl-C ends`);
  await new Promise<void>((resolve) => process.once('SIGINT', () => resolve()));
  bridge?.close();
  server.closeAllConnections();
  server.close();
  return EXIT.ok;
}
