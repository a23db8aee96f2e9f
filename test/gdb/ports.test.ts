/** Ports and who comes through them: web pages, noise, idle crowds, clients that do not read; sockets and files. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ClientFiles } from '../../src/cli/client-files.ts';
import type { MachineCli } from '../../src/cli/options.ts';
import { type Running, start } from '../../src/cli/run.ts';
import { type Connection, Connections } from '../../src/gdbstub/connections.ts';
import { encodePacket, fromLatin1, latin1, PacketParser, toHex } from '../../src/gdbstub/framing.ts';
import { GDBS, machineCli } from '../support/gdb-session.ts';
import { elfOf, tinyElf } from '../support/images.ts';
import { monitorText } from '../support/packet-client.ts';

const dir = mkdtempSync(join(tmpdir(), 'loongscope-ports-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const command = (text: string): string => `qRcmd,${toHex(fromLatin1(text))}`;

/** A client that speaks the protocol. */
class Client {
  readonly socket: Socket;
  /** Text of console packets. */
  said = '';
  private readonly parser = new PacketParser();
  private readonly packets: string[] = [];
  private wake: () => void = () => {};

  constructor(at: number | string) {
    this.socket = typeof at === 'string' ? connect(at) : connect(at, '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (d: Buffer) => {
      for (const f of this.parser.push(d)) {
        if (f.kind !== 'packet') continue;
        if (/^O([0-9a-f]{2})+$/.test(f.payload)) this.said += Buffer.from(f.payload.slice(1), 'hex').toString();
        else this.packets.push(f.payload);
      }
      this.wake();
    });
  }

  async reply(): Promise<string> {
    while (this.packets.length === 0)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    return this.packets.shift()!;
  }

  async ask(payload: string): Promise<string> {
    this.socket.write(encodePacket(payload));
    return this.reply();
  }

  /** What a monitor command says. */
  async monitor(text: string): Promise<string> {
    this.said = '';
    const last = monitorText(await this.ask(command(text)));
    return this.said + last;
  }
}

/** Sends bytes on a connection of its own. @returns what comes back before it is ended */
function send(port: number, bytes: Uint8Array | string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => void socket.write(bytes));
    let got = '';
    socket.on('error', () => {});
    socket.on('data', (d: Buffer) => {
      got += latin1(d);
    });
    socket.on('close', () => resolve(got));
  });
}

const IMAGE = join(dir, 'loop.elf');
writeFileSync(IMAGE, tinyElf());

let running: Running;
let client: Client;
const port = (): number => running.ports[0] as number;

async function begin(more: Partial<MachineCli> = {}, image: string | undefined = IMAGE): Promise<void> {
  const { guest: _, ...bare } = machineCli([], { files: dir, ...more });
  running = await start(image, bare, () => {});
  client = new Client(running.ports[0]!);
}
async function finish(): Promise<void> {
  client.socket.destroy();
  running.control.quit();
  await running.done;
}

describe('the first byte', () => {
  beforeEach(() => begin());
  afterEach(finish);

  test('packets in the body of a form that a web page posts are not obeyed', async () => {
    const body = latin1(encodePacket(command('snapshot save posted')));
    const answer = await new Promise<string>((resolve) => {
      const post = request({ host: '127.0.0.1', port: port(), method: 'POST', path: '/' }, () => resolve('answered'));
      post.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      post.end(body);
    });
    expect(answer).toMatch(/ECONNRESET|EPIPE|HPE_INVALID/);
    expect(await client.ask('qC')).toBe('QCp1.1');
    expect(existsSync(join(dir, 'posted'))).toBe(false);
  });

  test.each([
    ...['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'PRI'].map((verb) => [`HTTP ${verb}`, `${verb} / HTTP/1.1\r\n\r\n`]),
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a line end', '\r\n'],
    ['a byte 0', '\0'],
    ['a byte 255', '\xff'],
  ])('%s ends the connection without a byte of an answer', async (_, bytes) => {
    expect(await send(port(), fromLatin1(bytes + latin1(encodePacket('qC'))))).toBe('');
  });

  test('noise between packets is skipped, and too much of it ends the connection', async () => {
    client.socket.write('hello');
    const socket = client.socket;
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await closed;
    client = new Client(port());
    expect(await client.ask('qC')).toBe('QCp1.1');
    client.socket.write('hello');
    expect(await client.ask('qC')).toBe('QCp1.1');
    const ended = new Promise<void>((resolve) => client.socket.once('close', () => resolve()));
    client.socket.write('x'.repeat(5000));
    await ended;
  });

  test.each(GDBS)('%s is let in, with acknowledgements and without', async (_, gdb) => {
    for (const noAck of ['on', 'off']) {
      const { stdout } = await execa(gdb, [
        ...['-nx', '-q', '-batch', '-ex', `set remote noack-packet ${noAck}`],
        ...['-ex', `target extended-remote 127.0.0.1:${port()}`, '-ex', 'info threads', '-ex', 'disconnect'],
      ]);
      expect(stdout).toMatch(/Thread 1\.1|Thread 1/);
    }
  });
});

describe('crowds', () => {
  beforeEach(() => begin({ wait: false }));
  afterEach(finish);

  test('2000 idle connections neither stop the machine nor keep a debugger out', async () => {
    const idle: Socket[] = [];
    for (let n = 0; n < 2000; n++) {
      const socket = connect(port(), '127.0.0.1');
      socket.on('error', () => {});
      idle.push(socket);
      if (n % 50 === 0) await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    }
    const before = running.booted.machine.instructions;
    await vi.waitFor(() => expect(running.booted.machine.instructions).toBeGreaterThan(before), 20_000);
    // The first of them have gone, the last ones wait.
    await vi.waitFor(() => expect(idle.filter((s) => !s.destroyed).length).toBeLessThanOrEqual(128), 20_000);
    client = new Client(port());
    expect(await client.ask('qC')).toBe('QCp1.1');
    const second = new Client(port());
    expect(await second.ask('qC')).toBe('QCp1.1');
    for (const socket of [...idle, second.socket]) socket.destroy();
    expect(await client.ask('qC')).toBe('QCp1.1');
  }, 60_000);
});

describe('who goes first', () => {
  const connection = (dropped: string[], name: string): Connection & { waits: boolean } => ({
    spoke: undefined,
    waits: false,
    drop: (reason) => void dropped.push(`${name}: ${reason}`),
  });

  test('strangers give way to strangers, the longest silent speaker to one that speaks, nobody who waits', () => {
    let now = 0;
    const gone: string[] = [];
    const room = new Connections({ speakers: 2, strangers: 2, idleMs: 100 }, () => now);
    const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map((name) => connection(gone, name));
    room.add(a!);
    room.add(b!);
    expect(room.heard(a!)).toBe(true);
    expect(room.heard(b!)).toBe(true);
    for (const s of [c!, d!, e!]) room.add(s);
    expect(gone).toEqual([expect.stringMatching(/^c: it has never sent a packet/)]);
    // Nobody has been silent for long.
    expect(room.heard(d!)).toBe(false);
    expect(gone.at(-1)).toMatch(/^d: 2 clients are connected already/);
    now = 150;
    room.heard(b!);
    a!.waits = true;
    expect(room.heard(e!)).toBe(false);
    a!.waits = false;
    const f = connection(gone, 'f');
    room.add(f);
    expect(room.heard(f)).toBe(true);
    expect(gone.at(-1)).toMatch(/^a: it was silent for longest/);
    expect(room.count).toBe(2);
  });
});

describe('work that a client chooses is bounded', () => {
  beforeEach(() => begin());
  afterEach(finish);

  /** The answer of the slowest packet, of each kind that takes an amount. */
  const AMOUNTS: readonly (readonly [string, RegExp])[] = [
    ['m200000,ffffffff', /^[0-9a-f]+$/],
    ['qCRC:200000,2000000', /^C/],
    ['qCRC:200000,ffffffff', /^E\.qCRC takes at most/],
    ['qSearch:memory:200000;2000000;nowhere', /^0$/],
    ['qSearch:memory:0;ffffffffffffffff;x', /^E\.qSearch takes at most/],
    ['qXfer:features:read:target.xml:0,ffffffffffff', /^[ml]/],
    [`vCont${';s:1'.repeat(20_000)}`, /^E\.vCont takes at most 1024 actions/],
    [
      `QCatchSyscalls:1${Array.from({ length: 1100 }, (_, n) => `;${n.toString(16)}`).join('')}`,
      /^E\.there are 1000 catches/,
    ],
    [`QPassSignals:${'1;'.repeat(60_000)}1`, /^OK$/],
    [`Z0,200000,4${';X1,27'.repeat(65)}`, /^E\.Z takes up to 64 conditions/],
    [command(`history ${10 ** 9}`), /^([0-9a-f]{2})+$/],
  ];
  test.each(AMOUNTS.map(([packet, answer]) => [packet.slice(0, 40), packet, answer] as const))(
    '%s',
    async (_, packet, answer) => {
      // A second of the processor's time: other tests run beside this one.
      const began = process.cpuUsage();
      expect(await client.ask(packet)).toMatch(answer);
      const { user, system } = process.cpuUsage(began);
      expect((user + system) / 1000).toBeLessThan(1000);
    },
  );

  test('a search finds what lies across its pieces', async () => {
    expect(await client.ask('M20fffe,4:6162636d')).toBe('OK');
    expect(await client.ask('qSearch:memory:200000;20000;abc')).toBe('1,20fffe');
    expect(await client.ask('qCRC:200000,20000')).toMatch(/^C[0-9a-f]+$/);
  });

  test('breakpoints, watchpoints and catches', async () => {
    const most = async (count: number, packet: (n: number) => string): Promise<string> => {
      let last = '';
      for (let n = 0; n <= count; n++) last = await client.ask(packet(n));
      return last;
    };
    expect(await most(10_000, (n) => `Z0,${(0x300000 + 4 * n).toString(16)},4`)).toMatch(
      /^E\.there are 10000 breakpoints/,
    );
    expect(await most(1000, (n) => `Z2,${(0x300000 + 8 * n).toString(16)},8`)).toMatch(
      /^E\.there are 1000 watchpoints/,
    );
    for (let n = 0; n < 1000; n++) await client.ask(command('catch ertn'));
    expect(await client.monitor('catch ertn')).toMatch(/^there are 1000 catches already: delete some/);
  }, 60_000);

  test('another client is answered while one asks for much', async () => {
    const greedy = new Client(port());
    await greedy.ask('qC');
    for (let n = 0; n < 200; n++) greedy.socket.write(encodePacket('qSearch:memory:200000;2000000;nowhere'));
    await greedy.reply();
    const began = performance.now();
    expect(await client.ask('qC')).toBe('QCp1.1');
    expect(performance.now() - began).toBeLessThan(500);
    greedy.socket.destroy();
  });

  test('packets without number while the machine runs: refused, and Ctrl-C is heard', async () => {
    client.socket.write(encodePacket('vCont;c'));
    client.socket.write(Buffer.concat(Array.from({ length: 3000 }, () => encodePacket('qC'))));
    await client.reply();
    client.socket.write(Uint8Array.of(3));
    let answer = '';
    while (!/^T02/.test(answer)) answer = await client.reply();
  });

  test('300 MiB that open packets and end none cost neither memory nor time', async () => {
    const chunk = Buffer.alloc(1 << 20, '$');
    const before = process.memoryUsage().rss;
    for (let n = 0; n < 300; n++)
      if (!client.socket.write(chunk)) await new Promise((resolve) => client.socket.once('drain', resolve));
    expect(await client.ask('qC')).toBe('QCp1.1');
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
  }, 60_000);

  test('a client that reads nothing is cut off at 8 MiB', async () => {
    const deaf = connect(port(), '127.0.0.1');
    deaf.on('error', () => {});
    deaf.pause();
    const closed = new Promise<void>((resolve) => deaf.once('close', () => resolve()));
    const before = process.memoryUsage().rss;
    const ask = Buffer.concat(Array.from({ length: 500 }, () => encodePacket('m200000,fff0')));
    for (let n = 0; n < 40 && !deaf.destroyed; n++) {
      deaf.write(ask);
      expect(await client.ask('qC')).toBe('QCp1.1');
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
    deaf.resume();
    await closed;
  }, 30_000);
});

describe('conditions of breakpoints', () => {
  test('one that takes long and is false, met at every turn of a loop: Ctrl-C is heard', async () => {
    const image = join(dir, 'short.elf');
    writeFileSync(image, elfOf(['b 0']));
    await begin({}, image);
    await client.ask('qSupported:swbreak+;ConditionalBreakpoints+');
    // const16 2400; 3: const8 1; sub; dup; if_goto 3; end: 9600 operations, and the result is 0.
    expect(await client.ask('Z0,200000,4;Xb,23096022010328200003'.concat('27'))).toBe('OK');
    client.socket.write(encodePacket('vCont;c'));
    await vi.waitFor(() => expect(running.booted.machine.instructions).toBeGreaterThan(20), 10_000);
    const began = performance.now();
    client.socket.write(Uint8Array.of(3));
    expect(await client.reply()).toMatch(/^T02/);
    expect(performance.now() - began).toBeLessThan(1000);
    await finish();
  });
});

describe('Unix sockets', () => {
  const serve = (path: string): Promise<Running> => {
    const { guest: _, ...bare } = machineCli([], { gdb: { path }, files: dir });
    return start(IMAGE, bare, () => {});
  };
  const end = async (r: Running): Promise<void> => {
    r.control.quit();
    await r.done;
  };

  test('are their owner’s alone', async () => {
    const path = join(dir, 'own');
    const r = await serve(path);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    const c = new Client(path);
    expect(await c.ask('qC')).toBe('QCp1.1');
    c.socket.destroy();
    await end(r);
    expect(existsSync(path)).toBe(false);
  });

  test('one that another program serves is left to it, one that nobody serves is replaced', async () => {
    const path = join(dir, 'taken');
    const first = await serve(path);
    await expect(serve(path)).rejects.toThrow(/another program listens at .*taken: choose another path/);
    const c = new Client(path);
    expect(await c.ask('qC')).toBe('QCp1.1');
    c.socket.destroy();
    await end(first);
    // Left behind by a program that was killed.
    await execa(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]).catch(() => {});
    expect(lstatSync(path).isSocket()).toBe(true);
    await end(await serve(path));
  });

  test('what is no socket stays, and a path that is too long is said', async () => {
    const file = join(dir, 'file');
    writeFileSync(file, 'mine');
    await expect(serve(file)).rejects.toThrow(/file exists, and is no socket: choose another path/);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    await expect(serve(join(dir, 'x'.repeat(120)))).rejects.toThrow(
      /bytes, and 107 are possible: choose a shorter one/,
    );
  });
});

describe('addresses beyond loopback', () => {
  test.each([
    ['0.0.0.0', true],
    ['::', true],
    ['127.0.0.1', false],
    ['localhost', false],
    ['::1', false],
    ['127.1.2.3', false],
  ])('%s: said once: %s', async (host, exposed) => {
    const probe = createServer();
    const usable = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(0, host, () => resolve(true));
    });
    probe.close();
    if (!usable) return;
    const said: string[] = [];
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said.push(String(text));
      return true;
    });
    try {
      const { guest: _, ...bare } = machineCli([], { gdb: { host, port: 0 }, gdbHost: { host, port: 0 }, files: dir });
      const r = await start(IMAGE, bare, () => {});
      r.control.quit();
      await r.done;
    } finally {
      write.mockRestore();
    }
    expect(said.filter((s) => s.includes('is not loopback, and this port has no password'))).toHaveLength(
      exposed ? 1 : 0,
    );
  });
});

describe('files that a client names', () => {
  const folder = join(dir, 'files');
  const outside = join(dir, 'outside');
  mkdirSync(join(folder, 'sub'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(folder, 'mine'), 'mine');
  writeFileSync(join(outside, 'secret'), 'secret');
  symlinkSync(outside, join(folder, 'out'));
  symlinkSync(join(outside, 'secret'), join(folder, 'link'));
  symlinkSync(join(outside, 'new'), join(folder, 'dangling'));
  const files = new ClientFiles(folder);
  const bytes = Buffer.from('content');

  const REFUSED: readonly (readonly [string, RegExp])[] = [
    [join(outside, 'new'), /the name is absolute: files are named below the folder of --files/],
    ['../outside/new', /the name has '\.\.'/],
    ['sub/../../outside/new', /the name has '\.\.'/],
    ['out/new', /out is a link, and links are not followed/],
    ['', /the name is of no file/],
    ['.', /the name is of no file/],
    ['sub/', /the name is of no file/],
    ['a\0b', /byte 0/],
    ['x'.repeat(2000), /longer than 1024 bytes/],
    ['nowhere/new', /the folder nowhere cannot be opened \(ENOENT\)/],
    ['mine/new', /the folder mine cannot be opened \(ENOTDIR\)/],
  ];

  test.each(REFUSED)('%.30j is neither written nor read', (name, why) => {
    expect(() => files.write(name, bytes)).toThrow(why);
    expect(() => files.mayWrite(name)).toThrow(why);
    expect(() => files.read(name)).toThrow(why);
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  test.each([
    ['mine', 'mine'],
    ['link', 'secret'],
  ])('%s, which is there already, is not written over', (name, content) => {
    for (const refused of [() => files.write(name, bytes), () => files.mayWrite(name)])
      expect(refused).toThrow(/exists, and this run has not made it: choose another name/);
    expect(readFileSync(join(folder, name), 'utf8')).toBe(content);
  });

  test('a link that leads nowhere makes no file there', () => {
    expect(() => files.write('dangling', bytes)).toThrow(/exists, and this run has not made it/);
    expect(existsSync(join(outside, 'new'))).toBe(false);
  });

  test('a link is not read, and what is no file is said', async () => {
    expect(() => files.read('link')).toThrow(/link is a link/);
    expect(() => files.read('sub')).toThrow(/sub is no file/);
    await execa('mkfifo', [join(folder, 'fifo')]);
    expect(() => files.read('fifo')).toThrow(/fifo is no file/);
    expect(() => files.read('missing')).toThrow(/missing cannot be read \(ENOENT\): check the name/);
  });

  test('what the run has made it may write again; what has taken its place it may not', () => {
    files.write('sub/own', Buffer.from('first'));
    expect((statSync(join(folder, 'sub', 'own')).mode & 0o777).toString(8)).toBe('600');
    files.mayWrite('sub/own');
    files.write('sub/own', Buffer.from('second'));
    expect(Buffer.from(files.read('sub/own')).toString()).toBe('second');
    writeFileSync(join(folder, 'other'), 'other');
    rmSync(join(folder, 'sub', 'own'));
    writeFileSync(join(folder, 'sub', 'own'), 'a stranger’s');
    expect(() => files.write('sub/own', bytes)).toThrow(/this run has not made it/);
    expect(readFileSync(join(folder, 'sub', 'own'), 'utf8')).toBe('a stranger’s');
    expect(readdirSync(join(folder, 'sub'))).toEqual(['own']);
  });

  test('the folder is the one that was opened, whatever its name is later', () => {
    const home = join(dir, 'home');
    mkdirSync(home);
    const opened = new ClientFiles(home);
    rmSync(home, { recursive: true });
    symlinkSync(outside, home);
    expect(() => opened.write('new', bytes)).toThrow(/cannot be written/);
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  test('no more than 64 files', () => {
    const many = new ClientFiles(mkdtempSync(join(dir, 'many-')));
    for (let n = 0; n < 64; n++) many.write(`f${n}`, bytes);
    expect(() => many.write('more', bytes)).toThrow(/64 files have been made by this run/);
    many.write('f0', bytes);
  });

  test('a folder that cannot be opened is said at the start', () => {
    expect(() => new ClientFiles(join(dir, 'none'))).toThrow(/--files: cannot open the folder .*none \(ENOENT\)/);
    expect(() => new ClientFiles(IMAGE)).toThrow(/--files: cannot open .*ENOTDIR/);
  });

  test.each(GDBS)('%s: snapshots below the folder alone', async (_, gdb) => {
    await begin({ files: folder });
    const commands = [
      `monitor snapshot save ${join(outside, 'abs')}`,
      'monitor snapshot save ../outside/up',
      'monitor snapshot save out/through',
      'monitor snapshot save mine',
      'monitor snapshot save saved',
      'monitor snapshot save saved',
      'monitor snapshot load saved',
      `monitor snapshot load ${join(outside, 'secret')}`,
    ];
    const { stdout } = await execa(
      gdb,
      [
        ...['-nx', '-q', '-batch', '-ex', `target extended-remote 127.0.0.1:${port()}`],
        ...commands.flatMap((c) => ['-ex', c]),
      ],
      { all: true },
    ).then((r) => ({ stdout: r.all }));
    for (const line of [
      /abs: the name is absolute/,
      /up: the name has '\.\.'/,
      /out is a link/,
      /mine exists, and this run has not made it/,
      /saved: [\d.]+ MiB[\s\S]*saved: [\d.]+ MiB/,
      /at instruction \d+/,
      /secret: the name is absolute/,
    ])
      expect(stdout).toMatch(line);
    expect(readdirSync(outside)).toEqual(['secret']);
    await finish();
    rmSync(join(folder, 'saved'));
  });
});
