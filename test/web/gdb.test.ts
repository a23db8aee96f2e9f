/** A real gdb at the machine in the page, through `loongscope web --gdb`, in a real browser. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { launchChromium, WebPage } from '../support/browser.ts';
import { endlessElf } from '../support/endless-elf.ts';

const MAIN = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
const H1 = join(PROJECT_ROOT, 'build', 'labs', 'h1-solution.elf');

/** `loongscope web --gdb 0`: where it is, and what it says. */
class Server {
  private readonly program = execa(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', MAIN, 'web', '--gdb', '0'],
    { cwd: PROJECT_ROOT, reject: false, stdin: 'ignore', stdout: 'ignore', buffer: false },
  );
  private readonly lines: string[] = [];
  private heard = (): void => {};
  page = '';
  gdb = '';

  static async start(): Promise<Server> {
    const server = new Server();
    createInterface(server.program.stderr).on('line', (line) => {
      server.lines.push(line);
      server.heard();
    });
    server.gdb = (await server.says(/target remote (\S+),/))[1]!;
    server.page = (await server.says(/the page is at (\S+)/))[1]!;
    return server;
  }

  async says(words: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      for (const line of this.lines) {
        const found = words.exec(line);
        if (found) return found;
      }
      await new Promise<void>((resolve) => {
        this.heard = resolve;
      });
    }
  }

  async end(): Promise<void> {
    this.program.kill('SIGINT');
    await this.program;
  }
}

/** A gdb that is told its commands one after the other. */
class Gdb {
  private readonly child;
  private readonly ready: (text: string) => void = (text) => {
    this.output += text;
    this.heard();
  };
  private heard = (): void => {};
  private seen = 0;
  output = '';

  private constructor(program: string, args: readonly string[]) {
    this.child = execa('sh', ['-c', 'exec "$0" "$@" 2>&1', program, '-nx', '-q', ...args], {
      ...{ cwd: PROJECT_ROOT, reject: false, stdin: 'pipe', buffer: false },
    });
    this.child.stdout.on('data', (bytes: Buffer) => this.ready(`${bytes}`));
  }

  static async start(): Promise<Gdb> {
    const settings = ['set pagination off', 'set confirm off', 'set width 0', 'set style enabled off'];
    return new Gdb(await findGdb(), [...settings.flatMap((s) => ['-ex', s]), '-ex', 'echo ready\\n', H1]);
  }

  say(command: string): void {
    this.child.stdin.write(`${command}\n`);
  }

  /** Waits until gdb has printed this, behind what was waited for before. @returns what came up to its end */
  async until(words: RegExp): Promise<string> {
    for (;;) {
      const rest = this.output.slice(this.seen);
      const found = words.exec(rest);
      if (found) {
        this.seen += found.index + found[0].length;
        return rest.slice(0, found.index + found[0].length);
      }
      await new Promise<void>((resolve) => {
        this.heard = resolve;
      });
    }
  }

  async ask(command: string): Promise<string> {
    this.say(command);
    this.say('echo DONE\\n');
    return this.until(/DONE\n/);
  }

  interrupt(): void {
    this.child.kill('SIGINT');
  }

  async end(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.child;
  }
}

let browser: Browser;
let server: Server;
let gdb: Gdb;
const pages: WebPage[] = [];
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  server = await Server.start();
  gdb = await Gdb.start();
});
afterEach(async () => {
  for (const { page } of pages.splice(0)) await page.close();
  await gdb.end();
  await server.end();
});

async function open(hash: string): Promise<WebPage> {
  const web = await WebPage.open(browser, hash, server.page);
  pages.push(web);
  return web;
}

describe('gdb at the machine in the page', () => {
  test('connects, breaks, steps over ertn into the guest, reads registers, and gives the machine back', async () => {
    const web = await open('#lab=h1&solution');
    await web.show('Code');
    await web.page.getByLabel('Breakpoint', { exact: false }).first().fill('leave_guest');
    await web.button('Add').click();
    await web.page.locator('header code', { hasText: `target remote ${server.gdb}` }).waitFor();
    expect(await gdb.ask(`target remote ${server.gdb}`)).toMatch(/0x0000000001000000 in/);
    await web.page.locator('header .gdb', { hasText: 'gdb is attached' }).waitFor();
    expect(await web.button(/^Step s/).isDisabled()).toBe(true);
    await web.page.keyboard.press('s');
    expect(await gdb.ask('break enter_guest if $sp != 0')).toMatch(/Breakpoint 1/);
    expect(await gdb.ask('continue')).toMatch(/Breakpoint 1, enter_guest/);
    await web.status(/^host breakpoint at enter_guest/);
    for (let n = 0; n < 100 && !/ertn/.test(await gdb.ask('x/i $pc')); n++) await gdb.ask('stepi');
    await gdb.ask('stepi');
    expect(await gdb.ask('info registers pc')).toMatch(/0x200000/);
    await web.status(/^VM 1/);
    expect(await gdb.ask('monitor info worlds')).toMatch(/VM 1/);
    // The breakpoint of the page is not there for gdb, and comes back with the page.
    expect(await gdb.ask('detach')).toMatch(/detached/);
    await web.page.locator('header code').waitFor();
    await web
      .button(/^Step s/)
      .and(web.page.locator(':enabled'))
      .waitFor();
    await server.says(/gdb: has left/);
    await web.run();
    await web.status(/^host breakpoint at leave_guest/);
    expect(web.errors).toEqual([]);
  });

  test('a machine that runs in the page stops for gdb, and one that gdb lets run stops by Ctrl-C', async () => {
    const web = await open('');
    const buffer = Buffer.from(endlessElf());
    await web.page.locator('input[type=file]').setInputFiles({ name: 'loop.elf', mimeType: '', buffer });
    await web.page.locator('label.file', { hasText: 'loop.elf' }).waitFor();
    await web.canRun();
    await web.run();
    await web.status(/running… instruction [1-9]/);
    expect(await gdb.ask(`target remote ${server.gdb}`)).toMatch(/guest \(\)/);
    await web.status(/^host/);
    gdb.say('continue');
    await gdb.until(/Continuing/);
    await web.status(/running… instruction [1-9]/);
    expect(await web.button(/Pause/).isDisabled()).toBe(true);
    gdb.interrupt();
    await gdb.until(/SIGINT/);
    await web.status(/^host paused/);
    await gdb.ask('disconnect');
    await web.button(/Run r/).and(web.page.locator(':enabled')).waitFor();
    await web.run();
    await web.status(/running… instruction [1-9]/);
    expect(web.errors).toEqual([]);
  });

  test('another program, or Restart, ends the connection of gdb', async () => {
    const web = await open('#lab=h1&solution');
    await gdb.ask(`target remote ${server.gdb}`);
    await web.page.locator('header .gdb', { hasText: 'gdb is attached' }).waitFor();
    await web.button('Restart').click();
    await server.says(/gdb: the page has ended its connection/);
    expect(await gdb.ask('stepi')).toMatch(/Remote connection closed|not being run/);
    await web.canRun();
    await web.run();
    await web.status(/switched the machine off/);
  });

  test('a page that is loaded again ends it too, and gdb can come again', async () => {
    const web = await open('#lab=h1&solution');
    await gdb.ask(`target remote ${server.gdb}`);
    await web.page.locator('header .gdb', { hasText: 'gdb is attached' }).waitFor();
    await web.page.reload();
    await server.says(/the page was closed or loaded again/);
    expect(await gdb.ask('stepi')).toMatch(/Remote connection closed|not being run/);
    await web.page.locator('header code').waitFor();
    await web.canRun();
    expect(await gdb.ask(`target remote ${server.gdb}`)).toMatch(/0x0000000001000000 in/);
  });

  test('gdb before the page is told what to do', async () => {
    expect(await gdb.ask(`target remote ${server.gdb}`)).toContain(`no page is open: open ${server.page} in a browser`);
    await server.says(/no page is open/);
    await open('#lab=h1&solution');
    expect(await gdb.ask(`target remote ${server.gdb}`)).toMatch(/0x0000000001000000 in/);
  });

  test('a second page is told that the first one has gdb, and takes it when that is closed', async () => {
    const first = await open('#lab=h1&solution');
    await first.page.locator('header code').waitFor();
    const second = await open('#demo=hello');
    const again = second.page.locator('header button.gdb', { hasText: 'another page has gdb' });
    await again.waitFor();
    await first.page.close();
    pages.shift();
    await again.click();
    await second.page.locator('header code').waitFor();
    expect(await gdb.ask(`target remote ${server.gdb}`)).toMatch(/0x/);
  });
});

describe('others', () => {
  /** @returns the status of the answer; 101: a WebSocket was opened */
  const knock = async (path: string, headers: Record<string, string>): Promise<number> => {
    const { host, port } = new URL(server.page);
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { host, ...headers } });
    const [what] = await Promise.race([
      once(socket, 'open').then(() => [101]),
      once(socket, 'unexpected-response').then((args) => [(args[1] as { statusCode: number }).statusCode]),
    ]);
    socket.on('error', () => {});
    socket.terminate();
    return what as number;
  };

  test('get no WebSocket: other sites, other names for this computer, other tokens', async () => {
    const { origin, host, search } = new URL(server.page);
    const right = `/gdb${search}`;
    expect(await knock(right, { origin })).toBe(101);
    expect(await knock(right, {})).toBe(403);
    expect(await knock(right, { origin: 'http://evil.example' })).toBe(403);
    expect(await knock(right, { origin: 'null' })).toBe(403);
    const port = host.split(':')[1]!;
    const rebound = `evil.example:${port}`;
    expect(await knock(right, { host: rebound, origin: `http://${rebound}` })).toBe(403);
    expect(await knock('/gdb', { origin })).toBe(403);
    expect(await knock('/gdb?gdb=x', { origin })).toBe(403);
    expect(await knock(`/${search}`, { origin })).toBe(403);
  });

  test('get no page under another name, and may not show it inside their own', async () => {
    const { port } = new URL(server.page);
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(answer.headers.get('content-security-policy')).toBe("frame-ancestors 'none'");
    expect(await answer.text()).not.toContain(new URL(server.page).search.slice(5));
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET / HTTP/1.1\r\nHost: evil.example:${port}\r\nConnection: close\r\n\r\n`);
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(`${bytes}`).toMatch(/^HTTP\/1\.1 404/);
    socket.destroy();
  });

  test('who speaks HTTP to the port of gdb is disconnected', async () => {
    const socket = connect(Number(server.gdb.split(':')[1]), '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
    await server.says(/begins with 'P', as HTTP does/);
  });
});
