/** Disks on NBD servers: those that keep the protocol, those that break it, and QEMU's with a qcow2 image. */

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { CopyOnWrite, openDrive, parseDrive } from '../../src/cli/drives.ts';
import { UsageError } from '../../src/cli/errors.ts';
import { parseNbd } from '../../src/cli/nbd/address.ts';
import { NbdClient } from '../../src/cli/nbd/client.ts';
import { NbdDisk } from '../../src/cli/nbd/disk.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { DiskPast } from '../../src/emu/replay/disk-past.ts';
import { restoreFields, saveFields } from '../../src/emu/state/fields.ts';
import { FAULTS, type Fault, NbdServer, type NbdServerOptions, nbdThread } from '../support/nbd-server.ts';
import { until } from '../support/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-nbd-'));
afterAll(() => rmSync(folder, { recursive: true }));
let sockets = 0;
const fresh = (): string => join(folder, `${++sockets}.sock`);
const PATIENCE = { open: 5000, reply: 5000 };
/** Where a fault is that the server's silence shows. */
const SHORT = { open: 150, reply: 150 };
const SIZE = 1 << 20;

const pattern = (length: number): Uint8Array => new Uint8Array(length).map((_, n) => n * 7 + (n >> 8));

async function served(options: Omit<NbdServerOptions, 'path'>): Promise<{ server: NbdServer; path: string }> {
  const path = fresh();
  const server = new NbdServer({ ...options, path });
  await server.listen();
  return { server, path };
}

describe('the address of a server', () => {
  test.each([
    ['nbd:unix:/run/x.sock', { server: { path: '/run/x.sock' }, exportName: '' }],
    ['nbd:unix:x.sock:exportname=a b', { server: { path: 'x.sock' }, exportName: 'a b' }],
    ['nbd:127.0.0.1:10809', { server: { host: '127.0.0.1', port: 10809 }, exportName: '' }],
    ['nbd:[::1]:80:exportname=disk', { server: { host: '::1', port: 80 }, exportName: 'disk' }],
    ['nbd://localhost', { server: { host: 'localhost', port: 10809 }, exportName: '' }],
    ['nbd://localhost:80/a%20b', { server: { host: 'localhost', port: 80 }, exportName: 'a b' }],
    ['nbd://[::1]:1234/x/y', { server: { host: '::1', port: 1234 }, exportName: 'x/y' }],
    ['nbd+unix:///disk?socket=/run/x.sock', { server: { path: '/run/x.sock' }, exportName: 'disk' }],
    ['nbd+unix://?socket=/run/x.sock', { server: { path: '/run/x.sock' }, exportName: '' }],
  ])('%s', (text, address) => {
    expect(parseNbd(text)).toEqual(address);
    expect(parseDrive(`file=${text},format=raw,readonly=on`)).toEqual({
      file: text,
      readOnly: true,
      copyOnWrite: false,
      nbd: address,
    });
  });

  test.each([
    'nbd:',
    'nbd:unix:',
    'nbd:host',
    'nbd:host:0',
    'nbd:host:99999',
    'nbd+unix:///x',
    'nbd+tcp://h/x',
    'nbd://',
    'nbds://h',
  ])('%s is refused', (text) => {
    expect(() => parseNbd(text)).toThrow(UsageError);
  });
});

describe('images that are not raw', () => {
  test.each([
    ['qcow', 'QFI\xfb', 0],
    ['VMDK', 'KDMV', 0],
    ['VMDK', '# Disk DescriptorFile', 0],
    ['VDI', '\x7f\x10\xda\xbe', 0x40],
    ['VHDX', 'vhdxfile', 0],
  ])('%s: the line says how to serve it', (name, magic, at) => {
    const file = join(folder, `image-${name}`);
    const bytes = Buffer.alloc(1000);
    bytes.write(magic, at, 'latin1');
    writeFileSync(file, bytes);
    expect(() => openDrive(parseDrive(file))).toThrow(UsageError);
    expect(() => openDrive(parseDrive(file))).toThrow(
      new RegExp(`is a ${name}.*qemu-nbd -t -k "\\$PWD/disk.sock" ${file}, and use --drive nbd:unix:disk.sock`),
    );
  });

  test('a raw disk may begin like one, if the format is given', () => {
    const file = join(folder, 'raw');
    const bytes = Buffer.alloc(512);
    bytes.write('vhdxfile');
    writeFileSync(file, bytes);
    expect(openDrive(parseDrive(`${file},format=raw`)).read(0, 512)[0]).toBe(0x76);
    expect(() => parseDrive(`${file},format=qcow2`)).toThrow(/use format=raw, or let a server read it/);
  });
});

describe('the client', () => {
  test.each([
    ['a server of today', {}],
    ['one from before GO', { old: true }],
    ['one that answers in another order', { shuffle: 4 }],
  ])('%s: reads and writes', async (_, options) => {
    const { server, path } = await served({ size: 8 << 20, ...options });
    const client = await NbdClient.open({ server: { path }, exportName: '' }, PATIENCE);
    expect(client.info).toMatchObject({ size: 8 << 20, readOnly: false, canFlush: true });
    const data = pattern(4 << 20);
    await client.write(512, data);
    const back = new Uint8Array(data.length);
    await client.read(512, back);
    expect(Buffer.compare(back, data)).toBe(0);
    // Long requests go in pieces, all of them at once.
    expect(server.seen.map((s) => s.length)).toEqual(new Array(8).fill(1 << 20));
    client.close();
    await until(() => server.farewells === 1);
    server.close();
  });

  test('blocks that are larger than sectors are read and written whole', async () => {
    const { server, path } = await served({ size: SIZE, block: 4096 });
    server.bytes.set(pattern(SIZE));
    const client = await NbdClient.open({ server: { path }, exportName: '' }, PATIENCE);
    expect(client.info.minimumBlock).toBe(4096);
    const back = new Uint8Array(1024);
    await client.read(3584, back);
    expect(back).toEqual(pattern(SIZE).slice(3584, 4608));
    await client.write(3584, new Uint8Array(1024).fill(1));
    await client.flush();
    const after = pattern(SIZE).fill(1, 3584, 4608);
    expect(Buffer.compare(server.bytes, after)).toBe(0);
    client.close();
    server.close();
  });

  test('a missing export is named', async () => {
    const { server, path } = await served({ size: SIZE });
    await expect(NbdClient.open({ server: { path }, exportName: 'missing' }, PATIENCE)).rejects.toThrow(
      "it has no export 'missing'",
    );
    server.close();
  });

  /** What is said of each fault, and of which it is known at the start. */
  const SAID: Readonly<Record<Fault, readonly [atStart: boolean, message: RegExp]>> = {
    'no magic': [true, /does not speak NBD/],
    'old negotiation': [true, /old NBD/],
    'not fixed': [true, /fixed newstyle/],
    silent: [true, /has not answered for 0\.15 s/],
    'closes at once': [true, /closed the connection|broken/],
    'endless reply': [true, /has 4294967280 bytes/],
    'reply to another option': [true, /an option that nobody has sent/],
    'no size': [true, /how large/],
    'wrong block sizes': [true, /blocks have 3 to 1 bytes/],
    'unknown export': [true, /has no export 'x'/],
    policy: [true, /refuses the export: not for you/],
    'wants TLS': [true, /wants encryption/],
    'dies at a request': [false, /closed the connection|broken/],
    'dies in a reply': [false, /closed the connection|broken/],
    'wrong reply magic': [false, /reply has a wrong magic number/],
    'wrong handle': [false, /a request that nobody has sent/],
    // It may come as the beginning of the next reply.
    'a byte too much': [false, /nobody has asked for|wrong magic/],
    'talks without a question': [false, /nobody has asked for|closed|broken/],
    'never replies': [false, /has not answered for 0\.15 s/],
    'I/O error': [false, /EIO/],
  };

  test.each(FAULTS)('a server with a fault: %s', async (fault) => {
    const { server, path } = await served({ size: SIZE, fault });
    const [atStart, message] = SAID[fault];
    const opened = NbdClient.open({ server: { path }, exportName: 'x' }, SHORT);
    if (atStart) await expect(opened).rejects.toThrow(message);
    else {
      const client = await opened;
      const uses = async (): Promise<void> => {
        // A byte too much is noticed at the latest with the next request.
        for (let n = 0; n < 3; n++) await client.read(512 * n, new Uint8Array(512));
      };
      await expect(uses()).rejects.toThrow(message);
      // Every later request fails at once, or is answered again with its own error.
      await expect(client.write(0, new Uint8Array(512))).rejects.toThrow(message);
    }
    server.close();
  });
});

describe('a disk on a server', () => {
  const open = (path: string, more: Partial<ConstructorParameters<typeof NbdDisk>[1]> = {}): NbdDisk =>
    new NbdDisk({ server: { path }, exportName: '' }, { name: 'disk', readOnly: false, inSandbox: false, ...more });

  test('reads, writes and flushes while the thread of the machine waits', async () => {
    const path = fresh();
    const end = await nbdThread({ path, size: SIZE });
    const disk = open(path);
    expect([disk.size, disk.readOnly]).toEqual([SIZE, false]);
    const data = pattern(65536);
    disk.write(4096, data);
    disk.flush();
    expect(Buffer.compare(disk.read(4096, 65536), data)).toBe(0);
    disk.close();
    await end();
  });

  test('changes of copy-on-write stay in memory, and parts of blocks are read first', async () => {
    const path = fresh();
    const end = await nbdThread({ path, size: SIZE, readOnly: true, delay: 50 });
    const below = open(path, { readOnly: true });
    const disk = new CopyOnWrite(below);
    const data = pattern(1024);
    // The server takes longer than the machine looks at once.
    const looks: boolean[] = [];
    for (let ready = false; !ready; looks.push(ready)) ready = disk.ready('write', 3584, 1024);
    expect(looks.length).toBeGreaterThan(1);
    disk.write(3584, data);
    expect(Buffer.compare(disk.read(3584, 1024), data)).toBe(0);
    expect(below.read(3584, 1024).every((b) => b === 0)).toBe(true);
    below.close();
    await end();
  });

  test('goes back in time, and takes back a write that nobody has waited for', async () => {
    const path = fresh();
    const end = await nbdThread({ path, size: SIZE, delay: 30 });
    const below = open(path);
    const disk = new DiskPast(below);
    const zeros = new Uint8Array(1024);
    const [first, second] = [pattern(1024), pattern(1024).fill(7)];
    const write = (data: Uint8Array): void => {
      while (!disk.ready!('write', 3584, data.length, data));
      disk.write(3584, data);
    };
    disk.begin(() => 0);
    write(first);
    const state = saveFields(disk);
    write(second);
    restoreFields(disk, state);
    expect(Buffer.compare(below.read(3584, 1024), second)).toBe(0);
    disk.fork();
    expect(Buffer.compare(disk.read(3584, 1024), first)).toBe(0);
    // Begun, and then the machine goes on in another way; the next write has the same place.
    while (!disk.ready!('write', 3584, 1024, second));
    disk.fork();
    expect(Buffer.compare(below.read(3584, 1024), first)).toBe(0);
    while (!disk.ready!('write', 3584, 1024, second));
    write(zeros);
    expect(Buffer.compare(below.read(3584, 1024), zeros)).toBe(0);
    below.close();
    await end();
  });

  test('a server that dies is said once; the guest gets errors from then on', async () => {
    const path = fresh();
    const end = await nbdThread({ path, size: SIZE, fault: 'dies at a request' });
    const disk = open(path);
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    for (let n = 0; n < 3; n++) {
      expect(disk.ready('read', 0, 512)).toBe(true);
      expect(() => disk.read(0, 512)).toThrow();
    }
    expect(() => disk.write(0, new Uint8Array(512))).toThrow();
    expect(() => disk.flush()).toThrow();
    expect(said.mock.calls.map(([text]) => text)).toEqual([
      expect.stringMatching(
        /^loongscope: warning: --drive: disk is lost \(.*\): the guest gets I\/O errors; the machine goes on, .*\n$/,
      ),
    ]);
    said.mockRestore();
    await end();
  });

  test('a server that never answers keeps nothing waiting for longer than its time', async () => {
    const path = fresh();
    const end = await nbdThread({ path, size: SIZE, fault: 'never replies' });
    const disk = open(path, { patience: { open: 5000, reply: 200 } });
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    let looks = 0;
    const longest = { ms: 0 };
    for (let ready = false; !ready; looks++) {
      const began = performance.now();
      ready = disk.ready('read', 0, 512);
      longest.ms = Math.max(longest.ms, performance.now() - began);
    }
    // In between the program hears Ctrl-C.
    expect(looks).toBeGreaterThan(2);
    expect(longest.ms).toBeLessThan(200);
    expect(() => disk.read(0, 512)).toThrow(/has not answered/);
    expect(said).toHaveBeenCalledTimes(1);
    said.mockRestore();
    await end();
  });

  test.each([
    ['is empty', { size: 0 }, false],
    ['not a whole number of sectors', { size: 1000 }, false],
    ['may only be read: add readonly or copy-on-write', { size: SIZE, readOnly: true }, false],
    ['has no export', { size: SIZE, fault: 'unknown export' }, false],
  ] as const)('an export that cannot be used: %s', async (message, options, readOnly) => {
    const path = fresh();
    const end = await nbdThread({ path, ...options });
    expect(() => open(path, { readOnly })).toThrow(UsageError);
    expect(() => open(path, { readOnly })).toThrow(message);
    await end();
  });
});

const qemuNbd = join(PROJECT_ROOT, '.tools', 'bin', 'qemu-nbd');
if (!existsSync(qemuNbd))
  console.warn('no qemu-nbd could be had: the client is tested with the servers of the tests alone');

describe.skipIf(!existsSync(qemuNbd))('QEMU’s server with a qcow2 image', () => {
  test('reads, writes, and names an export that is missing', async () => {
    const image = join(folder, 'image.qcow2');
    await execa(join(PROJECT_ROOT, '.tools', 'bin', 'qemu-img'), ['create', '-q', '-f', 'qcow2', image, '16M']);
    const path = fresh();
    const server = spawn(qemuNbd, ['-t', '-k', path, '-x', 'disk', image], { stdio: 'ignore' });
    await until(() => existsSync(path));
    const disk = openDrive(parseDrive(`nbd:unix:${path}:exportname=disk`));
    expect(disk.size).toBe(16 << 20);
    const data = pattern(3 << 20);
    disk.write(1 << 20, data);
    disk.flush();
    expect(Buffer.compare(disk.read(1 << 20, data.length), data)).toBe(0);
    (disk as NbdDisk).close();
    expect(() => openDrive(parseDrive(`nbd:unix:${path}:exportname=other`))).toThrow(/has no export 'other'/);
    server.kill();
    // What was written is in the image.
    expect(() => openDrive(parseDrive(image))).toThrow(/is a qcow image/);
    const raw = join(folder, 'image.raw');
    await new Promise((resolve) => server.once('exit', resolve));
    await execa(join(PROJECT_ROOT, '.tools', 'bin', 'qemu-img'), ['convert', '-O', 'raw', image, raw]);
    expect(Buffer.compare(openDrive(parseDrive(raw)).read(1 << 20, data.length), data)).toBe(0);
  });
});
