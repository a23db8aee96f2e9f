/** Serial lines over sockets, Telnet and FIFOs; files and values that a machine begins with. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TELNET_GREETING, TelnetFilter, telnetEscape } from '../../../src/cli/telnet.ts';
import { elfOf } from '../../support/images.ts';
import { until } from '../../support/wait.ts';
import { echo, folder, greeter, launch, openSocket, qemu, rawGreeter, runner, saying } from './guest.ts';

/** Collects what a socket receives. */
function collect(socket: Socket): { text: () => string } {
  onTestFinished(() => void socket.destroy());
  const parts: Buffer[] = [];
  socket.on('data', (b) => void parts.push(b as Buffer));
  return { text: () => Buffer.concat(parts).toString('latin1') };
}

/** Talks to the echo: what is sent comes back, and a full stop ends the run. */
async function talk(socket: Socket, child: { exitCode: number | null }, before = ''): Promise<void> {
  const { text } = collect(socket);
  await until(() => text() === `${before}?`);
  socket.write('abc');
  await until(() => text() === `${before}?abc`);
  socket.write('.');
  await until(() => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
}

describe('serial lines', () => {
  test('a server waits for its client, and carries both directions', async () => {
    const cwd = folder({ k: echo('?') });
    const child = launch(cwd, ['-kernel', 'k', '-serial', 'unix:line,server']);
    await talk(await openSocket(join(cwd, 'line')), child);
  });

  test('a chardev with a socket, by Telnet', async () => {
    const cwd = folder({ k: echo('?') });
    const child = launch(cwd, [
      ...['-serial', 'chardev:c', '-kernel', 'k'],
      ...['-chardev', 'socket,id=c,path=line,server=on,wait=on,telnet=on'],
    ]);
    await talk(await openSocket(join(cwd, 'line')), child, Buffer.from(TELNET_GREETING).toString('latin1'));
  });

  test('a client connects to a server outside', async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const cwd = folder({ k: echo('?') });
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const real = launch(cwd, ['-kernel', 'k', '-serial', `tcp:127.0.0.1:${port}`]);
    await talk((await accepted)[0], real);
  });

  test('two FIFOs', async () => {
    const cwd = folder({ k: echo('?') });
    execFileSync('mkfifo', [join(cwd, 'p.in'), join(cwd, 'p.out')]);
    const reader = launchCat(cwd);
    const child = launch(cwd, ['-kernel', 'k', '-serial', 'pipe:p']);
    await until(() => reader.text() === '?');
    writeFileSync(join(cwd, 'p.in'), 'ab.');
    await until(() => child.exitCode !== null);
    expect([child.exitCode, reader.text()]).toEqual([0, '?ab.']);
  });

  test.each([
    [
      '-serial tcp:127.0.0.1:1',
      /nobody listens at 127\.0\.0\.1:1 \(ECONNREFUSED\): start that program first, or add server/,
    ],
    ['-serial unix:k,server', /k exists, and is no socket: choose another path/],
    ['-serial pipe:k', /k is no FIFO: make it with mkfifo/],
    ['-serial file:no/such', /cannot write no\/such \(ENOENT\): check the path/],
    ['-qmp unix:k,server', /-qmp: k exists, and is no socket/],
    ['-serial null -qmp tcp:127.0.0.1:1', /-qmp: nobody listens/],
  ])('%s: one line, and the program ends', async (line, message) => {
    const { code, err, out } = await qemu(folder({ k: greeter('x') }), ['-kernel', 'k', ...line.split(' ')]);
    expect([code, out, err.split('\n').length]).toEqual([2, '', 1]);
    expect(err).toMatch(message);
  });

  test('Telnet commands are taken out, and data is kept', () => {
    const filter = new TelnetFilter();
    const all = [
      ...filter.input(Uint8Array.of(65, 255, 251)),
      ...filter.input(Uint8Array.of(1, 66, 255, 250, 24, 0, 255)),
    ];
    expect([...all, ...filter.input(Uint8Array.of(240, 67, 255, 255, 255, 241, 68))]).toEqual([65, 66, 67, 255, 68]);
    expect([...telnetEscape(Uint8Array.of(1, 255, 2))]).toEqual([1, 255, 255, 2]);
  });
});

/** A reader of the output FIFO. */
function launchCat(cwd: string): { text: () => string } {
  const out = join(cwd, 'collected');
  const script = `cat ${join(cwd, 'p.out')} > ${out}`;
  const child = execFileSync('sh', ['-c', `(${script}) >/dev/null 2>&1 & echo $!`]).toString();
  onTestFinished(() => {
    try {
      process.kill(Number(child));
    } catch {
      // It has ended with the run.
    }
  });
  return { text: () => (existsSync(out) ? readFileSync(out, 'latin1') : '') };
}

/** Writes a byte of RAM, at an address below 2 GiB, to the serial line. */
const show = (address: number): string[] => [
  `lu12i.w $t1, ${address >>> 12}`,
  `ori $t1, $t1, ${address & 0xfff}`,
  'ld.b $a1, $t1, 0',
  'st.b $a1, $t0, 0',
];
const OFF = ['lu12i.w $t0, 0x100e0', 'addi.w $a1, $zero, 0x34', 'st.b $a1, $t0, 0x1c', 'b 0'];

/** CPU 0 starts all others through their mailboxes and by interrupts; each adds 1 to a counter. */
function starter(cpus: number): Uint8Array {
  const COUNTER = 'lu12i.w $s0, 0x201';
  const send = (entry: number): string[] => [
    'slli.d $t1, $s1, 16',
    'or $t1, $t1, $t2',
    'lu12i.w $t3, 0x200',
    `ori $t3, $t3, ${entry}`,
    'slli.d $t3, $t3, 32',
    'or $t3, $t1, $t3',
    'ori $t5, $t4, 0x48',
    'iocsrwr.d $t3, $t5',
    'ori $t5, $t4, 0x40',
    'iocsrwr.w $t1, $t5',
  ];
  const main = (entry: number): string[] => {
    const round = [...send(entry), 'addi.w $s1, $s1, 1', `ori $t6, $zero, ${cpus}`];
    return [
      ...[COUNTER, 'ori $s1, $zero, 1', 'ori $t2, $zero, 1', 'slli.d $t2, $t2, 31', 'lu12i.w $t4, 1'],
      ...[...round, `bne $s1, $t6, ${-4 * round.length}`],
      ...['ld.w $t1, $s0, 0', `ori $t6, $zero, ${cpus - 1}`, 'bne $t1, $t6, -8'],
      ...[...saying('all'), ...OFF],
    ];
  };
  const entry = 4 * main(0).length;
  return elfOf([...main(entry), COUNTER, 'ori $t1, $zero, 1', 'amadd.w $t2, $t1, $s0', 'b 0']);
}

describe('what a machine begins with', () => {
  test.each(['16', '16,sockets=2,cores=4,threads=2', 'cores=4,sockets=4'])(
    '-smp %s: sixteen CPUs start',
    async (smp) => {
      const cwd = folder({ k: starter(16) });
      expect(await qemu(cwd, ['-kernel', 'k', '-smp', smp])).toMatchObject({ code: 0, out: 'all' });
    },
  );

  test('-device loader: files at addresses, beside a kernel', async () => {
    const cwd = folder({ k: elfOf([...saying('>'), ...show(0x300000), ...show(0x400001), ...OFF]), a: 'A', b: 'xB' });
    const line = '-device loader,file=a,addr=0x300000 -kernel k -device loader,file=b,addr=0x400000,force-raw=on';
    expect(await qemu(cwd, line.split(' '))).toMatchObject({ code: 0, out: '>AB' });
  });

  test('-device loader: an ELF without an address, and CPU 0 starts in a raw image', async () => {
    const cwd = folder({ raw: rawGreeter('raw'), elf: runner('') });
    const line = '-device loader,file=raw,addr=0x80000000,cpu-num=0 -device loader,file=elf';
    expect(await qemu(cwd, line.split(' '))).toMatchObject({ code: 0, out: 'raw' });
  });

  test('-fw_cfg: the signature, and an item', async () => {
    const FW = 0x1e020000;
    const read = [
      `lu12i.w $t2, ${FW >>> 12}`,
      // Selector 0x20, big-endian, is the first file.
      'lu12i.w $t1, 2',
      'st.h $t1, $t2, 8',
      ...Array.from({ length: 5 }, () => ['ld.bu $a1, $t2, 0', 'st.b $a1, $t0, 0']).flat(),
    ];
    const cwd = folder({ k: elfOf([...saying('>'), ...read, ...OFF]) });
    const line = '-kernel k -fw_cfg name=opt/org.test/x,string=a,,b=1';
    expect(await qemu(cwd, line.split(' '))).toMatchObject({ code: 0, out: '>a,b=1' });
  });

  test('-machine dumpdtb writes the tree of this machine, and nothing runs', async () => {
    const cwd = folder();
    const { code, out } = await qemu(cwd, '-M virt,dumpdtb=t.dtb -smp 16 -m 2G'.split(' '));
    expect([code, out]).toEqual([0, '']);
    const source = execFileSync('dtc', ['-I', 'dtb', '-O', 'dts', join(cwd, 't.dtb')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(source.toString().match(/cpu@[0-9a-f]+ \{/g)).toHaveLength(16);
    expect(source.toString()).toContain('memory@80000000');
  });

  test.each([
    ['-kernel gone', /cannot read gone \(ENOENT\): check the path/],
    ['-kernel text', /text: .*: /],
    ['-kernel k -initrd text', /text is neither a cpio archive nor a compressed one/],
    ['-kernel k -drive file=gone,format=raw', /cannot open gone \(ENOENT\): check the path/],
    ['-kernel k -drive file=empty,format=raw', /empty is empty: make a disk image/],
    [
      '-kernel k -device virtio-blk-pci,drive=d -drive id=d,if=none,file=text',
      /text has 5 bytes, which is not a whole number of sectors/,
    ],
    ['-kernel k -dtb text', /text is no device tree blob/],
    ['-kernel k -device loader,file=gone,addr=0', /cannot read gone/],
    ['-kernel k -device loader,file=text', /text: /],
    ['-kernel k -fw_cfg name=opt/a,file=gone', /-fw_cfg: cannot read gone \(ENOENT\): check the path/],
    ['-kernel k -virtfs local,path=gone,mount_tag=t', /gone/],
    ['-bios gone', /cannot read gone/],
    ['-bios empty', /empty has 0 bytes/],
    ['-bios k -kernel k', /k is no program for UEFI/],
    ['-kernel k -D no/log -d int', /cannot write no\/log \(ENOENT\): check the path/],
    ['-kernel k -pidfile no/pid', /-pidfile: cannot write no\/pid/],
    ['-M virt,dumpdtb=no/tree', /dumpdtb=: cannot write no\/tree/],
  ])('%s: one line with the cause, and what to do', async (line, message) => {
    const cwd = folder({ k: greeter('x'), text: 'hello', empty: '' });
    const { code, out, err } = await qemu(cwd, line.split(' '));
    expect([code, out, err.split('\n').length]).toEqual([2, '', 1]);
    expect(err).toMatch(/^loongscope: .+: .+/);
    expect(err).toMatch(message);
  });

  test('-pidfile', async () => {
    const cwd = folder({ k: greeter('x') });
    expect((await qemu(cwd, '-kernel k -pidfile pid'.split(' '))).code).toBe(0);
    expect(readFileSync(join(cwd, 'pid'), 'latin1')).toMatch(/^\d+\n$/);
  });
});
