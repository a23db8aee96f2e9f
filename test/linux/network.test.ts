/** Linux on networks outside its machine, and on a disk of a server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseDrive } from '../../src/cli/drives.ts';
import { parseNet } from '../../src/cli/net/spec.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { until } from '../support/wait.ts';
import { DHCP } from './dhcp.ts';
import { FIRMWARE, haveFirmware, haveLinux, initramfs, KERNEL } from './images.ts';
import { APPEND, LinuxSession } from './session.ts';

const TOOLS = join(PROJECT_ROOT, '.tools', 'bin');
const tool = (name: string): string => join(TOOLS, name);
const have = (name: string): boolean => existsSync(tool(name));
const folder = mkdtempSync(join(tmpdir(), 'loongscope-linux-net-'));
const initrd = join(folder, 'initramfs');
const path = process.env.PATH;
beforeAll(() => {
  process.env.PATH = `${TOOLS}${delimiter}${path}`;
  if (haveLinux()) writeFileSync(initrd, initramfs());
});
afterAll(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true });
});

const FILE = Buffer.alloc(3_000_000, 'a file of the host, ');
const SUM = createHash('md5').update(FILE).digest('hex');

describe.skipIf(!haveLinux() || !have('passt'))('Linux on the networks of this computer', () => {
  test.each([
    ['virtual time', {}],
    ['two CPUs in virtual time', { smp: 2 }],
    ['a thread for each of two CPUs', { smp: 2, threads: true, clock: 'host' }],
  ] as const)(
    '%s: DHCP, a download, a service, and no work while it is idle',
    { timeout: 240_000 },
    async (_, more) => {
      const server = createServer((_request, response) => response.end(FILE));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      // A port that is free now.
      const probe = createServer();
      await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
      const forwarded = (probe.address() as { port: number }).port;
      await new Promise((resolve) => probe.close(resolve));
      const linux = await LinuxSession.boot({ initrd, net: parseNet(`user,hostfwd=tcp::${forwarded}-:80`), ...more });
      expect((await linux.run(DHCP)).output).toBe('1');
      expect((await linux.run('ifconfig eth0 | grep -o "inet addr:[0-9.]*"')).output).toBe('inet addr:10.0.2.15');
      const fetched = await linux.run(`wget -q -O - http://10.0.2.2:${port}/ | md5sum`);
      expect(fetched.output).toBe(`${SUM}  -`);
      await linux.run('(nc -l -p 80 -e echo hello from the guest &); until netstat -ltn | grep -q :80; do :; done');
      const text = await new Promise<string>((resolve, reject) => {
        const socket = connect(forwarded, '127.0.0.1');
        let said = '';
        socket.on('data', (data) => {
          said += data.toString();
        });
        socket.on('close', () => resolve(said));
        socket.on('error', reject);
      });
      expect(text).toBe('hello from the guest\n');
      // Three quiet seconds: the guest's own timers tick, and nothing else happens.
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 3e6).toBeLessThan(0.3);
      expect(await linux.powerOff()).toBe(0);
      server.closeAllConnections();
      server.close();
    },
  );
});

/** A Linux in QEMU, spoken to through its console. */
class QemuSession {
  private text = '';
  readonly process: ChildProcess;

  constructor(args: readonly string[]) {
    // Debian's kernel finds QEMU's PCI by ACPI, so firmware starts it. It must not access ports that do not exist.
    const machine = [
      '-M',
      'virt',
      '-m',
      '1G',
      '-cpu',
      'max',
      '-nographic',
      '-no-reboot',
      '-bios',
      FIRMWARE,
      '-kernel',
      KERNEL,
      '-initrd',
      initrd,
    ];
    this.process = spawn(
      tool('qemu-system-loongarch64'),
      [...machine, '-append', `${APPEND} initcall_blacklist=i8042_init`, ...args],
      {
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    this.process.stdout!.on('data', (data: Buffer) => {
      this.text += data.toString('latin1');
    });
  }

  /** Types a line at the prompt, and waits for what it shows. */
  async run(line: string, shows: string, limitMs = 90_000): Promise<void> {
    const end = Date.now() + limitMs;
    const wait = async (what: RegExp): Promise<void> => {
      while (!what.test(this.text)) {
        if (Date.now() > end || this.process.exitCode !== null)
          throw new Error(`QEMU did not show ${what}: ${this.text.slice(-1000)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await wait(/(^|\n)# ([^\n]{0,4})$/);
    this.text = '';
    this.process.stdin!.write(`${line}\n`);
    await wait(new RegExp(`\n${shows}\r?\n`));
  }
}

describe.skipIf(!haveLinux())('Linux on a wire to another machine', () => {
  test('two machines of this program exchange files', { timeout: 240_000 }, async () => {
    const wire = `unix:${join(folder, 'wire')}`;
    const boot = (role: string, n: number): Promise<LinuxSession> =>
      LinuxSession.boot({ initrd, net: parseNet(`stream,${role}=${wire},pcap=${join(folder, `${n}.pcap`)}`) });
    const a = await boot('listen', 1);
    const b = await boot('connect', 2);
    // Both cards have the same address at first.
    await a.run('ifconfig eth0 hw ether 52:54:00:00:00:01 && ifconfig eth0 10.0.0.1 up');
    await b.run('ifconfig eth0 hw ether 52:54:00:00:00:02 && ifconfig eth0 10.0.0.2 up');
    expect((await a.run('ping -c 3 10.0.0.2 | grep -o "3 packets received"')).output).toBe('3 packets received');
    await a.run('(nc -l -p 9 </bin/busybox &); until netstat -ltn | grep -q :9; do :; done');
    const [here, there] = [await a.run('md5sum </bin/busybox'), await b.run('nc 10.0.0.1 9 | md5sum')];
    expect(there.output).toBe(here.output);
    expect(await b.powerOff()).toBe(0);
    expect(await a.powerOff()).toBe(0);
  });

  test.skipIf(!have('qemu-system-loongarch64') || !haveFirmware())(
    'a machine of QEMU answers',
    { timeout: 240_000 },
    async () => {
      const wire = join(folder, 'qemu-wire');
      const qemu = new QemuSession([
        ...['-netdev', `stream,id=w,server=on,addr.type=unix,addr.path=${wire}`],
        ...['-device', 'virtio-net-pci,netdev=w,mac=52:54:00:00:00:01,romfile='],
      ]);
      try {
        await until(() => existsSync(wire));
        const linux = await LinuxSession.boot({ initrd, net: parseNet(`stream,connect=unix:${wire}`) });
        await linux.run('ifconfig eth0 10.0.0.2 up');
        await qemu.run('ifconfig eth0 10.0.0.1 up && echo it is $((6 * 7))', 'it is 42');
        expect((await linux.run('ping -c 3 10.0.0.1 | grep -o "3 packets received"')).output).toBe(
          '3 packets received',
        );
        await qemu.run('ping -c 3 10.0.0.2 | grep -o "3 packets received"', '3 packets received');
        expect(await linux.powerOff()).toBe(0);
      } finally {
        qemu.process.kill();
      }
    },
  );
});

describe.skipIf(!haveLinux() || !have('qemu-nbd') || !have('qemu-img'))('Linux on a disk of a server', () => {
  /** A server for a new qcow2 image. */
  async function served(name: string): Promise<{ server: ChildProcess; socket: string; image: string }> {
    const [image, socket] = [join(folder, `${name}.qcow2`), join(folder, `${name}.sock`)];
    await execa(tool('qemu-img'), ['create', '-q', '-f', 'qcow2', image, '32M']);
    const server = spawn(tool('qemu-nbd'), ['-t', '-e', '2', '-k', socket, image], { stdio: 'ignore' });
    await until(() => existsSync(socket));
    return { server, socket, image };
  }

  test('a file system on a qcow2 image, and a second disk whose changes stay in memory', {
    timeout: 240_000,
  }, async () => {
    const { server, socket } = await served('kept');
    const drive = [parseDrive(`nbd:unix:${socket}`), parseDrive(`nbd:unix:${socket},copy-on-write`)];
    const linux = await LinuxSession.boot({ initrd, drive });
    const written = await linux.run(
      'mke2fs /dev/vda >/dev/null && mount -t ext4 /dev/vda /mnt && cp /bin/busybox /mnt/copy && umount /mnt && mount -t ext4 -o ro /dev/vda /mnt && cmp /mnt/copy /bin/busybox && umount /mnt && echo kept',
    );
    expect(written.output).toBe('kept');
    // The second disk is the same export.
    const seen = await linux.run(
      'echo 3 >/proc/sys/vm/drop_caches; mount -t ext4 /dev/vdb /mnt && cmp /mnt/copy /bin/busybox && rm /mnt/copy && umount /mnt && mount -t ext4 -o ro /dev/vda /mnt && ls /mnt/copy && umount /mnt',
    );
    expect(seen.output).toBe('/mnt/copy');
    expect(await linux.powerOff()).toBe(0);
    server.kill();
  });

  test('a server that dies is an I/O error; Linux goes on', { timeout: 240_000 }, async () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const { server, socket } = await served('dying');
    const linux = await LinuxSession.boot({ initrd, drive: [parseDrive(`nbd:unix:${socket}`)] });
    expect((await linux.run('dd if=/dev/vda bs=4k count=1 2>/dev/null | wc -c')).output).toBe('4096');
    server.kill('SIGKILL');
    await new Promise((resolve) => server.once('exit', resolve));
    const read = await linux.run('dd if=/dev/vda bs=4k skip=1000 count=1 2>&1 | grep -o "Input/output error"');
    expect(read.output).toBe('Input/output error');
    expect(said.mock.calls.map(([text]) => text)).toEqual([
      expect.stringMatching(/^loongscope: warning: --drive: nbd:unix:.* is lost \(.*\): the guest gets I\/O errors/),
    ]);
    said.mockRestore();
    expect(await linux.powerOff()).toBe(0);
  });
});
