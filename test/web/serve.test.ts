/** `loongscope web`: what it serves, to whom, and how it ends. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const MAIN = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
const start = (...args: string[]) =>
  execa(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'web', ...args], {
    ...{ cwd: PROJECT_ROOT, reject: false, stdin: 'ignore' },
  });

test('serves the page alone, on loopback, and ends with Ctrl-C', async () => {
  const program = start();
  const [told] = (await once(program.stderr, 'data')) as [Buffer];
  const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(`${told}`)![0];
  const answer = await fetch(url);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(await answer.text()).toBe(readFileSync(join(PROJECT_ROOT, 'build', 'web', 'index.html'), 'utf8'));
  expect((await fetch(`${url}../package.json`)).status).toBe(404);
  program.kill('SIGINT');
  expect((await program).exitCode).toBe(0);
});

test('a port in use is told in one line', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const { stderr, exitCode } = await start('--port', `${port}`);
  other.close();
  expect(stderr).toBe(`loongscope: cannot listen on port ${port} (EADDRINUSE): choose another with --port`);
  expect(exitCode).toBe(2);
});

test('a port for gdb that is in use, or not of this computer alone, is told in one line', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const used = await start('--gdb', `${port}`);
  other.close();
  expect([used.exitCode, used.stderr]).toEqual([
    2,
    'loongscope: cannot listen for gdb (EADDRINUSE): choose another address',
  ]);
  const open = await start('--gdb', '0.0.0.0:0');
  expect([open.exitCode, open.stderr]).toEqual([
    2,
    'loongscope: --gdb: 0.0.0.0 is not loopback, and the page is for this computer alone: give a port, or unix:PATH',
  ]);
});
