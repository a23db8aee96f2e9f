/** The network outside: its options, the frames on its wires, and peers that do not do what they should. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { UsageError } from '../../src/cli/errors.ts';
import type { Cable } from '../../src/cli/net/cable.ts';
import { FrameReader, FramingError, writeFrame } from '../../src/cli/net/framing.ts';
import { passtArguments } from '../../src/cli/net/passt.ts';
import { type NetSpec, parseNet } from '../../src/cli/net/spec.ts';
import { openNet } from '../../src/cli/network.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { until } from '../support/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-net-'));
afterAll(() => rmSync(folder, { recursive: true }));
let sockets = 0;
const fresh = (): string => join(folder, `${++sockets}.sock`);
const tool = (name: string): string => join(PROJECT_ROOT, '.tools', 'bin', name);

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const open: Cable[] = [];
afterEach(() => {
  for (const cable of open.splice(0)) cable.unplug();
  vi.restoreAllMocks();
});

/** A cable that is plugged in, and what arrives on it. */
async function plugged(text: string): Promise<Cable> {
  const cable = openNet(parseNet(text)) as Cable;
  await cable.plug({ connectNetwork: () => {}, kick: () => {} });
  open.push(cable);
  return cable;
}

async function received(cable: Cable): Promise<Uint8Array> {
  let frame: Uint8Array | undefined;
  await until(() => (frame = cable.next()) !== undefined);
  return frame!;
}

const frameOf = (n: number, length = 60): Uint8Array => new Uint8Array(length).fill(n);

/** What the program says meanwhile. */
function listen(): string[] {
  const said: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  return said;
}

describe('--net', () => {
  const forward = (protocol: string, host: string, port: number, to: number): object => ({
    protocol,
    from: { host, port },
    to,
  });
  test.each<[string, object]>([
    ['none', { kind: 'none' }],
    ['isolated,pcap=a.pcap', { kind: 'isolated', pcap: 'a.pcap' }],
    ['dump:a,b', { kind: 'dump', file: 'a,b' }],
    ['user', { kind: 'user', name: 'user', forwards: [] }],
    [
      'user,hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.2:53-10.0.2.15:5353,hostname=guest,pcap=p',
      {
        kind: 'user',
        name: 'user',
        forwards: [forward('tcp', '127.0.0.1', 2222, 22), forward('udp', '127.0.0.2', 53, 5353)],
        hostname: 'guest',
        pcap: 'p',
      },
    ],
    ['user,hostfwd=::80-:8080', { kind: 'user', name: 'user', forwards: [forward('tcp', '127.0.0.1', 80, 8080)] }],
    ['passt:/run/p', { kind: 'stream', name: 'passt:/run/p', role: 'connect', address: { path: '/run/p' } }],
    [
      'stream,connect=1234',
      { kind: 'stream', name: 'stream,connect=1234', role: 'connect', address: { host: '127.0.0.1', port: 1234 } },
    ],
    [
      'stream,listen=[::1]:99',
      { kind: 'stream', name: 'stream,listen=[::1]:99', role: 'listen', address: { host: '::1', port: 99 } },
    ],
    [
      'stream,listen=unix:a.sock',
      { kind: 'stream', name: 'stream,listen=unix:a.sock', role: 'listen', address: { path: 'a.sock' } },
    ],
    [
      'dgram,local=1,remote=localhost:2',
      {
        kind: 'datagram',
        name: 'dgram,local=1,remote=localhost:2',
        local: { host: '127.0.0.1', port: 1 },
        remote: { host: '127.0.0.1', port: 2 },
      },
    ],
  ])('%s', (text, spec) => {
    expect(parseNet(text)).toEqual(spec as NetSpec);
  });

  test.each([
    ['tap', /'tap' is unknown: use none/],
    ['constructor', /'constructor' is unknown/],
    ['none,pcap=x', /no packets for pcap=/],
    ['isolated,pcap=', /pcap= names no file/],
    ['loopback,hostfwd=x', /unknown part 'hostfwd': use pcap=/],
    ['user,restrict=on', /unknown part 'restrict'/],
    ['user,hostfwd=22-22', /is malformed: write hostfwd=tcp:127\.0\.0\.1:2222-:22/],
    ['user,hostfwd=tcp::0-:22', /is no address/],
    ['user,hostfwd=tcp::22-:0', /there is no port 0/],
    ['user,hostfwd=tcp:host:22-:22', /'host' is no IPv4 address/],
    ['user,hostfwd=tcp::22-10.0.2.99:22', /the guest has the address 10\.0\.2\.15: leave 10\.0\.2\.99 out/],
    ['user,hostname=a b', /is no name/],
    ['user,hostname=a,hostname=b', /hostname is given twice/],
    ['stream', /use connect= or listen=/],
    ['stream,connect=1,listen=2', /use connect= or listen=/],
    ['stream,connect=host', /is no address: write \[HOST:\]PORT/],
    ['stream,connect=unix:', /unix: needs a path/],
    ['dgram,local=1', /both ends have an address/],
    ['dgram,local=1,remote=host:2', /of one kind, in numbers/],
    ['dgram,local=1,remote=[::1]:2', /of one kind, in numbers/],
  ])('%s is refused', (text, message) => {
    expect(() => parseNet(text)).toThrow(UsageError);
    expect(() => parseNet(text)).toThrow(message);
  });
});

describe('frames in a stream', () => {
  test('are found however the stream is cut', () => {
    const frames = [frameOf(1), frameOf(2, 0), frameOf(3, 1514), frameOf(4, 65553)];
    const whole = Buffer.concat(frames.map(writeFrame));
    expect([...whole.subarray(0, 4)]).toEqual([0, 0, 0, 60]);
    for (const piece of [1, 3, 61, 64, 1000, whole.length]) {
      const reader = new FrameReader(65553);
      const found: Uint8Array[] = [];
      for (let at = 0; at < whole.length; at += piece)
        for (const f of reader.push(whole.subarray(at, at + piece))) found.push(f.slice());
      expect(found.map((f) => [f.length, f[0]])).toEqual(frames.map((f) => [f.length, f[0]]));
    }
  });

  test('a length that no frame can have is an error at once', () => {
    const reader = new FrameReader(65553);
    expect(() => [...reader.push(Uint8Array.of(0, 1, 0, 18))]).toThrow(FramingError);
  });
});

describe('two ends of a wire', () => {
  const both = async (a: Cable, b: Cable): Promise<void> => {
    for (let n = 1; n <= 3; n++) {
      a.send(frameOf(n, 60 + 400 * n));
      expect(await received(b)).toEqual(frameOf(n, 60 + 400 * n));
      b.send(frameOf(n + 10));
      expect(await received(a)).toEqual(frameOf(n + 10));
    }
  };

  test('a stream over TCP', async () => {
    const port = await freePort();
    const a = await plugged(`stream,listen=${port}`);
    await both(await plugged(`stream,connect=${port}`), a);
  });

  test('a stream over a Unix socket, which nobody else can open', async () => {
    const path = fresh();
    const a = await plugged(`stream,listen=unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await both(await plugged(`passt:${path}`), a);
  });

  test('datagrams', async () => {
    const [p, q] = [await freePort(), await freePort()];
    const a = await plugged(`dgram,local=${p},remote=${q}`);
    // Nobody is there yet: as on a wire, nothing happens.
    a.send(frameOf(1));
    const b = await plugged(`dgram,local=${q},remote=${p}`);
    // What comes from elsewhere is dropped.
    const stranger = createSocket('udp4');
    for (const port of [p, q]) await new Promise((resolve) => stranger.send(frameOf(99), port, '127.0.0.1', resolve));
    stranger.close();
    await both(a, b);
  });

  test('a peer that goes is said once; one that listens waits for another', async () => {
    const said = listen();
    const port = await freePort();
    const a = await plugged(`stream,listen=${port}`);
    const b = await plugged(`stream,connect=${port}`);
    await both(a, b);
    b.unplug();
    await until(() => said.length === 1);
    expect(said[0]).toMatch(
      /^loongscope: --net stream,listen=\d+: its other end has closed .*; another may connect\n$/,
    );
    a.send(frameOf(1));
    expect(a.unsent).toBe(0);
    const c = await plugged(`stream,connect=${port}`);
    await both(a, c);
    a.unplug();
    await until(() => !c.live);
    c.send(frameOf(1));
    expect(said.slice(1)).toEqual([
      expect.stringMatching(
        /^loongscope: warning: --net stream,connect=\d+: .*: the machine goes on without a network\n$/,
      ),
    ]);
  });
});

describe('peers that misbehave', () => {
  /** A peer in the hands of the test. */
  const peer = (): Promise<{ readonly server: Server; readonly port: number; readonly joined: Promise<Socket> }> =>
    new Promise((resolve) => {
      let join: (socket: Socket) => void;
      const joined = new Promise<Socket>((r) => {
        join = r;
      });
      const server = createServer((socket) => {
        socket.on('error', () => {});
        join(socket);
      });
      server.listen(0, '127.0.0.1', () =>
        resolve({ server, port: (server.address() as { port: number }).port, joined }),
      );
    });

  test('one that does not read costs a bounded amount of memory, and is said once', async () => {
    const said = listen();
    const { server, port, joined } = await peer();
    const cable = await plugged(`stream,connect=${port}`);
    const socket = await joined;
    socket.pause();
    const before = process.memoryUsage.rss();
    for (let n = 0; n < 100_000; n++) cable.send(frameOf(n, 1514));
    expect(cable.unsent).toBeGreaterThan(50_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 2 ** 20);
    expect(said).toEqual([
      `loongscope: warning: --net stream,connect=${port}: its other end does not read: frames are lost, as on a busy wire\n`,
    ]);
    socket.destroy();
    server.close();
  });

  test('one that sends more than the machine takes is made to wait', async () => {
    const { server, port, joined } = await peer();
    const cable = await plugged(`stream,connect=${port}`);
    const socket = await joined;
    let waits = 0;
    for (let n = 0; n < 20_000; n++) if (!socket.write(writeFrame(frameOf(n, 1500)))) waits++;
    await until(() => Reflect.get(cable, 'paused') === true);
    expect(cable.untaken).toBe(0);
    expect(waits).toBeGreaterThan(0);
    let count = 0;
    await until(() => {
      while (cable.next()) count++;
      return count === 20_000;
    });
    socket.destroy();
    server.close();
  });

  test('one that sends no frames loses its connection', async () => {
    const said = listen();
    const { server, port, joined } = await peer();
    const cable = await plugged(`stream,connect=${port}`);
    (await joined).write('GET / HTTP/1.1\r\n');
    await until(() => !cable.live);
    expect(said).toEqual([
      `loongscope: warning: --net stream,connect=${port}: its other end sends no frames: it announces a frame of 1195725856 bytes: the machine goes on without a network\n`,
    ]);
    server.close();
  });

  test('frames that are too short for a header are dropped', async () => {
    const { server, port, joined } = await peer();
    const cable = await plugged(`stream,connect=${port}`);
    (await joined).write(Buffer.concat([frameOf(1, 0), frameOf(2, 13), frameOf(3, 14)].map(writeFrame)));
    expect(await received(cable)).toEqual(frameOf(3, 14));
    server.close();
  });

  test('an address that is taken is one line', async () => {
    const { server, port } = await peer();
    await expect(plugged(`stream,listen=${port}`)).rejects.toThrow(
      new UsageError(`--net stream,listen=${port}: cannot listen there: EADDRINUSE: choose another address`),
    );
    server.close();
    const free = await freePort();
    await expect(plugged(`stream,connect=${free}`)).rejects.toThrow(
      /nobody can be reached there \(ECONNREFUSED\): start/,
    );
    const a = await plugged(`dgram,local=${free},remote=1`);
    await expect(plugged(`dgram,local=${free},remote=1`)).rejects.toThrow(/this end cannot be made \(EADDRINUSE\)/);
    a.unplug();
  });
});

describe('a command line that fails', () => {
  test('ends the program also when a network was open', { timeout: 60_000 }, async () => {
    const net = `stream,listen=${await freePort()}`;
    const main = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
    const options = ['--no-sandbox', '--no-code-cache', '--net', net, '--gdb', `unix:${join(folder, 'none', 'gdb')}`];
    const { exitCode, stderr } = await execa(process.execPath, [main, 'run', ...options], {
      reject: false,
      stdin: 'ignore',
      timeout: 40_000,
    });
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/^loongscope: cannot listen for gdb .*$/)]);
  });
});

/** An ARP request of 10.0.2.15 for an address of its network (RFC 826). */
function arp(host: number): Uint8Array {
  const sender = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
  const frame = new Uint8Array(60);
  frame.set([255, 255, 255, 255, 255, 255, ...sender, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, ...sender, 10, 0, 2, 15]);
  frame.set([10, 0, 2, host], 38);
  return frame;
}

/** Waits for the answer to {@link arp}. */
async function answered(cable: Cable, host: number): Promise<void> {
  for (;;) {
    const frame = await received(cable);
    // Type ARP, operation reply, sender.
    if (frame[12] === 8 && frame[13] === 6 && frame[21] === 2 && frame[31] === host) return;
  }
}

const havePasst = existsSync(tool('passt'));
if (!havePasst) console.warn('no passt could be had: --net user is not tested');

describe('--net user', () => {
  const inPath = (path: string, body: () => Promise<void>): Promise<void> => {
    const before = process.env.PATH;
    process.env.PATH = path;
    return body().finally(() => {
      process.env.PATH = before;
    });
  };

  test('the options of passt', () => {
    const spec = parseNet('user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-:54,hostname=guest');
    expect(passtArguments(spec as Extract<NetSpec, { kind: 'user' }>).join(' ')).toBe(
      '--quiet --fd 3 --ipv4-only --address 10.0.2.15 --netmask 24 --gateway 10.0.2.2 --dns-forward 10.0.2.3 --mtu 1500 --hostname guest --tcp-ports 127.0.0.1/2222:22 --udp-ports 127.0.0.1/53:54',
    );
  });

  test('a missing passt is one line', async () => {
    await inPath(folder, async () => {
      await expect(plugged('user')).rejects.toThrow(
        new UsageError('--net user: the program passt is missing: install the package passt, or use --net isolated'),
      );
    });
  });

  test.skipIf(!havePasst)('passt answers as the gateway; a port that is taken is one line', async () => {
    await inPath(`${join(PROJECT_ROOT, '.tools', 'bin')}:${process.env.PATH}`, async () => {
      const cable = await plugged('user');
      cable.send(arp(2));
      await answered(cable, 2);
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      await expect(plugged(`user,hostfwd=tcp::${port}-:22`)).rejects.toThrow(
        /^--net user: passt does not start: .*Address already in use: choose another port for hostfwd=$/,
      );
      server.close();
    });
  });
});

const haveQemu = existsSync(tool('qemu-system-loongarch64'));
if (!haveQemu) console.warn('no QEMU could be had: frames are not exchanged with one');

/** A QEMU without a machine whose gateway is at the other end of the wire. */
const QEMU = ['-M', 'none', '-nodefaults', '-display', 'none', '-serial', 'none', '-monitor', 'none'];
const HUB = [
  '-netdev',
  'user,id=u',
  '-netdev',
  'hubport,id=a,hubid=0,netdev=u',
  '-netdev',
  'hubport,id=b,hubid=0,netdev=w',
];

describe.skipIf(!haveQemu)('QEMU at the other end', () => {
  const wires: readonly (readonly [
    name: string,
    qemu: (p: number, q: number) => string,
    net: (p: number, q: number) => string,
    first: 'qemu' | 'us',
  ])[] = [
    [
      'stream, QEMU listens',
      (p) => `stream,id=w,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=${p}`,
      (p) => `stream,connect=${p}`,
      'qemu',
    ],
    [
      'stream, QEMU connects',
      (p) => `stream,id=w,server=off,addr.type=inet,addr.host=127.0.0.1,addr.port=${p}`,
      (p) => `stream,listen=${p}`,
      'us',
    ],
    ['socket, QEMU listens', (p) => `socket,id=w,listen=127.0.0.1:${p}`, (p) => `stream,connect=${p}`, 'qemu'],
    ['socket, QEMU connects', (p) => `socket,id=w,connect=127.0.0.1:${p}`, (p) => `stream,listen=${p}`, 'us'],
    [
      'dgram',
      (p, q) =>
        `dgram,id=w,local.type=inet,local.host=127.0.0.1,local.port=${p},remote.type=inet,remote.host=127.0.0.1,remote.port=${q}`,
      (p, q) => `dgram,local=${q},remote=${p}`,
      'qemu',
    ],
    [
      'socket,udp',
      (p, q) => `socket,id=w,udp=127.0.0.1:${q},localaddr=127.0.0.1:${p}`,
      (p, q) => `dgram,local=${q},remote=${p}`,
      'qemu',
    ],
  ];

  test.each(wires)('%s', async (_, qemu, net, first) => {
    listen();
    const [p, q] = [await freePort(), await freePort()];
    const start = (): ReturnType<typeof spawn> =>
      spawn(tool('qemu-system-loongarch64'), [...QEMU, '-netdev', qemu(p, q), ...HUB], { stdio: 'ignore' });
    let cable: Cable | undefined;
    if (first === 'us') cable = await plugged(net(p, q));
    const process = start();
    try {
      // QEMU needs some time until it listens.
      for (const end = Date.now() + 20_000; !cable; )
        cable = await plugged(net(p, q)).catch((error: unknown) => {
          if (Date.now() > end) throw error;
          return undefined;
        });
      const wire = cable;
      const again = setInterval(() => wire.send(arp(2)), 50);
      await answered(wire, 2).finally(() => clearInterval(again));
    } finally {
      process.kill();
    }
  });
});
