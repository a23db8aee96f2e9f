/** Debian's own kernel: boots, works and switches off, with one CPU and several. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootImages } from '../../src/cli/boot.ts';
import { decompress } from '../../src/cli/decompress.ts';
import { EXIT } from '../../src/cli/errors.ts';
import { DEFAULT_MACHINE, type MachineCli } from '../../src/cli/options.ts';
import { readRecording } from '../../src/cli/recording/file.ts';
import { replayed } from '../../src/cli/recording/replay.ts';
import { start } from '../../src/cli/run.ts';
import { parseLinuxImage } from '../../src/emu/boot/linux-image.ts';
import { stateDigest } from '../../src/emu/check/state-digest.ts';
import { until } from '../support/wait.ts';
import { runChecks } from './checks.ts';
import { FIRMWARE, haveFirmware, haveLinux, initramfs, KERNEL, sataDrivers } from './images.ts';
import { APPEND, LinuxSession } from './session.ts';
import { remarks } from './silence.ts';

const DISK_BYTES = 32 * 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), 'loongscope-linux-'));
afterAll(() => rmSync(folder, { recursive: true }));
const initrd = join(folder, 'initramfs');

if (!haveLinux()) console.warn("no kernel of Debian's for loong64 could be had: Linux is not tested");

function blankDisk(name: string): string {
  const file = join(folder, name);
  writeFileSync(file, '');
  truncateSync(file, DISK_BYTES);
  return file;
}

function sharedFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'hello'), 'hello from the host\n');
  rmSync(join(path, 'moved'), { force: true });
  return path;
}

describe.skipIf(!haveLinux())('Linux', () => {
  beforeAll(() => writeFileSync(initrd, initramfs()));

  test.each([
    [1, {}],
    [2, {}],
    [4, {}],
    [2, { threads: true, clock: 'host' }],
  ] as const)('%i CPUs %j: boots, passes its checks, switches off', { timeout: 240_000 }, async (cpus, more) => {
    const file = blankDisk(`disk-${cpus}`);
    const record = cpus === 2 && !('threads' in more) ? join(folder, 'linux.recording') : undefined;
    const linux = await LinuxSession.boot({
      ...(record !== undefined && { record, recordEvery: 1500 }),
      smp: cpus,
      initrd,
      drive: [{ file, readOnly: false, copyOnWrite: false }],
      net: { kind: 'loopback' },
      share: [{ folder: sharedFolder(`share-${cpus}`), tag: 'host', readOnly: false }],
      ...more,
    });
    const results = await runChecks(linux, { cpus, disk: true, network: true, share: true });
    expect(results.filter((r) => !r.ok)).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(15);
    if (linux.running && record === undefined) expect(await remarks(linux)).toEqual([]);
    expect(await linux.powerOff()).toBe(0);
    expect(readFileSync(join(folder, `share-${cpus}`, 'moved')).length).toBeGreaterThan(1_000_000);
    // The file system is in the file: ext2's magic number.
    expect(readFileSync(file).readUInt16LE(1080)).toBe(0xef53);
    if (record === undefined) return;
    // The run happens again, without its disk and its folder, on the other engine.
    rmSync(file);
    rmSync(join(folder, `share-${cpus}`), { recursive: true });
    const recording = readRecording(record);
    const { states, end } = recording;
    expect(states.length).toBeGreaterThan(2);
    // From the beginning, from a state in the middle, and from the last one.
    for (const [engine, from] of [
      ['interpreter', 0],
      ['auto', Math.floor(end / 2)],
      ['jit', end],
    ] as const) {
      const { image, cli } = replayed(recording, { engine, from });
      const again = await start(image, { ...cli, quiet: true }, () => {});
      const first = again.booted.machine.instructions;
      expect(first).toBe(states.findLast((s) => s.at <= from)?.at ?? 0);
      expect([engine, await again.done]).toEqual([engine, EXIT.ok]);
      expect(again.booted.machine.instructions).toBe(linux.machine!.instructions);
    }
  });

  test('a read-only disk and one with copy-on-write leave their files alone', { timeout: 120_000 }, async () => {
    const kept = blankDisk('kept');
    const locked = blankDisk('locked');
    const linux = await LinuxSession.boot({
      initrd,
      drive: [
        { file: kept, readOnly: false, copyOnWrite: true },
        { file: locked, readOnly: true, copyOnWrite: false },
      ],
    });
    const written = await linux.run(
      'printf hello | dd of=/dev/vda conv=notrunc 2>/dev/null; sync; echo 3 >/proc/sys/vm/drop_caches; head -c 5 /dev/vda',
    );
    expect(written.output).toBe('hello');
    expect((await linux.run('cat /sys/block/vdb/ro')).output).toBe('1');
    expect((await linux.run('printf hello | dd of=/dev/vdb 2>&1 | tail -1')).output).not.toMatch(/5 bytes copied/);
    expect(await linux.powerOff()).toBe(0);
    for (const file of [kept, locked]) expect(readFileSync(file).every((b) => b === 0)).toBe(true);
  });

  test('a disk that is a file and a folder go back in time, and the disk takes back what has not happened', {
    timeout: 120_000,
  }, async () => {
    const file = blankDisk('undone');
    const shared = sharedFolder('kept-share');
    const linux = await LinuxSession.boot({
      initrd,
      gdb: { host: '127.0.0.1', port: 0 },
      drive: [{ file, readOnly: false, copyOnWrite: false }],
      share: [{ folder: shared, tag: 'host', readOnly: false }],
    });
    const { control } = linux.running!;
    const { history } = control;
    const written = (): string => readFileSync(file).subarray(0, 5).toString();
    await linux.run('mkdir -p /mnt; mount -t 9p -o trans=virtio,version=9p2000.L host /mnt');
    history.enable(true);
    const first = history.position;
    await linux.run('cat /mnt/hello; mkdir /mnt/new; echo one >/mnt/new/file; rm /mnt/hello');
    const middle = history.position;
    // What is typed at this very position would belong to the past that is kept.
    await until(() => history.position > middle);
    await linux.run(
      'printf hello | dd of=/dev/vda conv=notrunc; sync; echo 3 >/proc/sys/vm/drop_caches; cat /dev/vda | md5sum',
    );
    expect(written()).toBe('hello');
    const gate = { running: false, stopped: () => {}, ended: () => {} };
    control.attach(gate);
    const last = history.position;
    // Time goes on in an idle machine.
    const seen = (): unknown[] => [...stateDigest(control.machine)].filter(([name]) => !name.startsWith('timers'));
    const before = seen();
    control.replayer.goto(first);
    expect(() => history.disturb()).toThrow(
      /has used a shared folder after this moment, and the folder cannot go back/,
    );
    control.replayer.goto(last);
    expect(seen()).toEqual(before);
    control.replayer.goto(middle);
    expect(written()).toBe('hello');
    // The machine goes on in another way.
    history.disturb();
    expect(written()).toBe('\0\0\0\0\0');
    control.detach(gate);
    expect((await linux.run('head -c 5 /dev/vda | hexdump -C | head -1')).output).toMatch(
      /^00000000 {2}00 00 00 00 00 /,
    );
    expect((await linux.run('cat /mnt/new/file')).output).toBe('one');
    expect(await linux.powerOff()).toBe(0);
  });

  test('interpreter and translator agree on the beginning of a boot', { timeout: 120_000 }, async () => {
    const running = await start(
      KERNEL,
      {
        ...DEFAULT_MACHINE,
        memory: 2 ** 30,
        append: APPEND,
        initrd,
        engine: 'check',
        checkInterval: 2_500_000,
        maxInstructions: 250_000_000,
        quiet: true,
      },
      () => {},
    );
    expect(await running.done).toBe(EXIT.limit);
    expect(running.check!.count).toBe(100);
  });

  test('eight CPUs come up', { timeout: 120_000 }, async () => {
    const linux = await LinuxSession.boot({ initrd, smp: 8 });
    expect((await linux.run('nproc; cat /sys/devices/system/cpu/online')).output).toBe('8\n0-7');
    expect(await linux.powerOff()).toBe(0);
  });

  test('virtio without PCI', { timeout: 120_000 }, async () => {
    const drive = [{ file: blankDisk('mmio'), readOnly: false, copyOnWrite: true }];
    const linux = await LinuxSession.boot({ initrd, drive, virtio: 'mmio' });
    expect(
      (await linux.run('printf hello >/dev/vda; sync; echo 3 >/proc/sys/vm/drop_caches; head -c 5 /dev/vda')).output,
    ).toBe('hello');
    expect((await linux.run('ls /sys/bus/pci/devices; grep -c "PCH PIC.*virtio" /proc/interrupts')).output).toBe(
      '0000:00:00.0\n2',
    );
    expect(await linux.powerOff()).toBe(0);
  });

  test.each([
    ['for version 1', '', 'transitional', '1'],
    ['for legacy devices', ' virtio_pci.force_legacy=1', 'transitional', '0'],
    ['for legacy devices, which has nothing else to choose', '', 'legacy', '0'],
  ] as const)('virtio cards by the driver %s', { timeout: 120_000 }, async (_, append, virtioPci, version1) => {
    const drive = [{ file: blankDisk('interfaces'), readOnly: false, copyOnWrite: true }];
    const share = [{ folder: sharedFolder('interfaces-share'), tag: 'host', readOnly: false }];
    const net = { kind: 'loopback' } as const;
    const linux = await LinuxSession.boot({ initrd, drive, share, net, virtioPci, append: APPEND + append });
    const ids = 'for d in 1 2 3 4; do cat /sys/bus/pci/devices/0000:00:0$d.0/device; done | xargs';
    expect((await linux.run(ids)).output).toBe('0x1001 0x1009 0x1000 0x1005');
    // Bit 32 of the features that driver and device have agreed on.
    const features = 'for d in 0 1 2 3; do cut -c 33 /sys/bus/virtio/devices/virtio$d/features; done | xargs';
    expect((await linux.run(features)).output).toBe(new Array(4).fill(version1).join(' '));
    const results = await runChecks(linux, { cpus: 1, disk: true, network: true, share: true });
    expect(results.filter((r) => !r.ok)).toEqual([]);
    // Frames that come back are whole, whatever header the driver expects.
    await linux.run('ifconfig eth0 10.0.0.2 up; ping -c 3 -W 1 10.0.0.1 >/dev/null');
    const counters =
      'cat /sys/class/net/eth0/statistics/rx_errors /sys/class/net/eth0/statistics/rx_length_errors | xargs';
    expect((await linux.run(counters)).output).toBe('0 0');
    expect(Number((await linux.run('cat /sys/class/net/eth0/statistics/rx_packets')).output)).toBeGreaterThan(0);
    expect(await linux.powerOff()).toBe(0);
  });

  test.each([1, 2])('a Serial ATA disk, %i CPUs', { timeout: 120_000 }, async (smp) => {
    const file = blankDisk('sata');
    const rd = join(folder, 'initramfs-sata');
    writeFileSync(rd, Buffer.concat([readFileSync(initrd), sataDrivers()]));
    const drive = [{ file, readOnly: false, copyOnWrite: false, ahci: true }];
    const linux = await LinuxSession.boot({ initrd: rd, drive, smp });
    expect(await linux.run('/sata/load')).toEqual({ output: '', status: 0 });
    await linux.run('for i in $(seq 100); do [ -e /dev/sda ] && break; sleep 0.1; done');
    expect((await linux.run('cat /sys/block/sda/size /sys/block/sda/device/queue_depth | xargs')).output).toBe(
      '65536 32',
    );
    expect((await linux.run('cat /sys/block/sda/queue/write_cache')).output).toBe('write back');
    const { output } = await linux.run(
      'mke2fs /dev/sda >/dev/null && mount -t ext4 /dev/sda /mnt && cp /bin/busybox /mnt/copy && sync && umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext4 -o ro /dev/sda /mnt && cmp /mnt/copy /bin/busybox && umount /mnt && echo kept',
    );
    expect(output).toBe('kept');
    expect((await linux.run('grep -cE "MSI.*ahci" /proc/interrupts')).output).toBe('1');
    expect((await linux.run('dmesg | grep -ciE "ata1.*(error|exception|failed|timeout|reset)"')).output).toBe('0');
    expect(await linux.powerOff()).toBe(0);
    expect(readFileSync(file).readUInt16LE(1080)).toBe(0xef53);
  });

  test('a virtio console as the terminal', { timeout: 120_000 }, async () => {
    const append = APPEND.replace('console=ttyS0,115200', 'console=hvc0');
    const linux = await LinuxSession.boot({ initrd, console: 'virtio', append });
    expect((await linux.run('tty')).output).toBe('/dev/hvc0');
    expect(await linux.powerOff()).toBe(0);
  });

  test('a read-only folder of the host, and links that lead out of it', { timeout: 120_000 }, async () => {
    const path = sharedFolder('locked-share');
    writeFileSync(join(folder, 'secret'), 'of nobody else');
    symlinkSync(join(folder, 'secret'), join(path, 'out'));
    symlinkSync(folder, join(path, 'up'));
    const linux = await LinuxSession.boot({ initrd, share: [{ folder: path, tag: 'host', readOnly: true }] });
    await linux.run('mount -t 9p -o trans=virtio,version=9p2000.L host /mnt');
    expect((await linux.run('cat /mnt/hello')).output).toBe('hello from the host');
    expect((await linux.run('touch /mnt/new; rm -f /mnt/hello; ls -1 /mnt')).output).toMatch(
      /Read-only file system[\s\S]*Read-only file system\nhello\nout\nup$/,
    );
    // The guest follows links itself, in its own file system.
    expect((await linux.run('cat /mnt/out /mnt/up/secret')).output).not.toContain('of nobody else');
    expect(await linux.powerOff()).toBe(0);
  });

  test.skipIf(!haveFirmware())('UEFI firmware starts the kernel', { timeout: 240_000 }, async () => {
    const linux = await LinuxSession.boot({ initrd, firmware: FIRMWARE });
    expect((await linux.run('ls -d /sys/firmware/efi; cat /sys/class/rtc/rtc0/name')).output).toMatch(
      /^\/sys\/firmware\/efi\nrtc-efi/,
    );
    expect((await linux.run('cat /sys/class/dmi/id/sys_vendor')).output).toBe('loongscope');
    expect(await linux.powerOff()).toBe(0);
  });

  test('what is no kernel for this machine is refused with its reason', () => {
    const kernel = readFileSync(KERNEL);
    const refused = (name: string, bytes: Uint8Array, more: Partial<MachineCli> = {}): string => {
      const file = join(folder, name);
      writeFileSync(file, bytes);
      try {
        bootImages(file, { ...DEFAULT_MACHINE, ...more });
      } catch (error) {
        return (error as Error).message;
      }
      return 'accepted';
    };
    expect(refused('cut', kernel.subarray(0, 5_000_000))).toMatch(/cut: is truncated: its payload ends at byte/);
    const other = Buffer.from(kernel);
    other.write('lzma\0', 24, 'latin1');
    expect(refused('other', other)).toMatch(/is compressed with 'lzma': give a kernel packed with zstd or gzip/);
    const damaged = Buffer.from(kernel);
    damaged.fill(0x55, 1_000_000, 1_000_100);
    expect(refused('damaged', damaged)).toMatch(/has a damaged payload/);
    const x86 = Buffer.alloc(256);
    x86.write('MZ', 0, 'latin1');
    x86.writeUInt32LE(0x80, 0x3c);
    x86.writeUInt32LE(0x4550, 0x80);
    x86.writeUInt16LE(0x8664, 0x84);
    expect(refused('x86', x86)).toMatch(/is a program for x86-64: give a kernel for loongarch64/);
    expect(refused('kernel', kernel, { initrd: join(folder, 'none') })).toMatch(/cannot read .*none \(ENOENT\)/);
    const withInitrd = (name: string, bytes: Uint8Array): string => {
      const file = join(folder, name);
      writeFileSync(file, bytes);
      return refused('kernel', kernel, { initrd: file });
    };
    const archive = readFileSync(initrd);
    expect(withInitrd('rd-empty', new Uint8Array(0))).toMatch(/is empty/);
    expect(withInitrd('rd-noise', new Uint8Array(5000).fill(0x41))).toMatch(
      /neither a cpio archive nor a compressed one/,
    );
    expect(withInitrd('rd-cut', archive.subarray(0, 1_000_000))).toMatch(/is truncated, its archive does not end/);
    expect(withInitrd('rd-good', archive)).toBe('accepted');
    expect(withInitrd('rd-gzip', gzipSync(archive, { level: 1 }))).toBe('accepted');
  });

  test('zboot with gzip, the flat Image inside, and a zboot in a zboot', () => {
    const kernel = readFileSync(KERNEL);
    const [offset, size] = [kernel.readUInt32LE(8), kernel.readUInt32LE(12)];
    const image = new Uint8Array(zstdDecompressSync(kernel.subarray(offset, offset + size)));
    const zboot = (payload: Uint8Array): Uint8Array => {
      const header = Buffer.from(kernel.subarray(0, offset));
      header.writeUInt32LE(payload.length, 12);
      header.write('gzip\0', 24, 'latin1');
      return new Uint8Array(Buffer.concat([header, payload]));
    };
    const parse = (bytes: Uint8Array): unknown => {
      const { entry, segments } = parseLinuxImage(bytes, 'kernel', decompress);
      return { entry, at: segments.map((s) => [s.paddr, s.memsz]), data: Buffer.compare(segments[0]!.data, image) };
    };
    const packed = zboot(gzipSync(image, { level: 1 }));
    expect(parse(image)).toEqual(parse(new Uint8Array(kernel)));
    expect(parse(packed)).toEqual(parse(image));
    expect(() => parse(zboot(gzipSync(packed, { level: 1 })))).toThrow(/something else than a kernel inside/);
  });

  test('too little RAM is said before anything runs', async () => {
    await expect(LinuxSession.boot({ initrd, memory: 32 * 2 ** 20 })).rejects.toThrow(/larger --memory/);
  });
});
