/** `loongscope web`: the browser edition, served on loopback. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { say } from './ending.ts';
import { EXIT, UsageError } from './errors.ts';
import { PROJECT_ROOT } from './paths.ts';

/** One file: its build puts everything into it. */
const PAGE = join(PROJECT_ROOT, 'build', 'web', 'index.html');
const HOST = '127.0.0.1';

/**
 * Serves the page until the program is ended.
 * @param port 0: a free one
 * @throws UsageError when there is no page, or the port is in use
 */
export async function web(port: number): Promise<number> {
  if (!existsSync(PAGE)) throw new UsageError('the page is not built: run ./scripts/build-web');
  const page = readFileSync(PAGE);
  const server = createServer((request, answer) => {
    const wanted = request.url === '/' || request.url === '/index.html';
    const head = { 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' };
    answer.writeHead(wanted ? 200 : 404, head).end(wanted ? page : 'there is only /');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new UsageError(`cannot listen on port ${port} (${error.code}): choose another with --port`)),
    );
    server.listen(port, HOST, resolve);
  });
  say(`the page is at http://${HOST}:${(server.address() as AddressInfo).port}/ and as a file, ${PAGE}; Ctrl-C ends`);
  await new Promise<void>((resolve) => process.once('SIGINT', () => resolve()));
  server.closeAllConnections();
  server.close();
  return EXIT.ok;
}
