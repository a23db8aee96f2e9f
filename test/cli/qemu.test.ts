/** The command line of QEMU. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/cli/errors.ts';
import { parseQemu } from '../../src/cli/qemu.ts';

const parse = (line: string): ReturnType<typeof parseQemu> => parseQemu(line.split(' ').filter(Boolean));

describe('loongscope qemu', () => {
  test('a kernel as run scripts start it', () => {
    const { image, cli } = parse(
      '-machine virt -m 512M -smp cpus=2,cores=2 -cpu max -nographic -kernel vmlinuz -initrd rd -append console=ttyS0 -no-reboot -monitor none',
    );
    expect(image).toBe('vmlinuz');
    expect(cli).toMatchObject({ memory: 2 ** 29, smp: 2, initrd: 'rd', append: 'console=ttyS0', reboot: false });
    expect(cli.cpu.lam_bh).toBe(true);
  });

  test('QEMU’s own defaults, and a memory size in MiB', () => {
    expect(parse('-M virt').cli).toMatchObject({ memory: 2 ** 30, smp: 1, serial: { kind: 'stdio' } });
    expect(parse('-M virt').cli.cpu.lam_bh).toBe(false);
    expect(parse('-m 256').cli.memory).toBe(2 ** 28);
    expect(parse('-m size=2G').cli.memory).toBe(2 ** 31);
  });

  test('disks and network cards by name', () => {
    const { cli } = parse(
      '-drive id=x0,file=disk.img,format=raw,if=none -device virtio-blk-pci,drive=x0 -drive if=none,id=x1,file=unused -snapshot -device virtio-net-pci',
    );
    expect(cli.cards).toEqual([
      { kind: 'net', net: { kind: 'isolated' } },
      {
        kind: 'block',
        drive: { file: 'disk.img', readOnly: false, copyOnWrite: true },
        interfaces: 'transitional',
        slot: undefined,
      },
      { kind: 'net', net: { kind: 'isolated' }, interfaces: 'transitional', slot: undefined },
    ]);
  });

  const kindsOf = (line: string): string[] => parse(line).cli.cards!.map((c) => c.kind);
  test('slots in QEMU’s order: its network card, then -device as written, then drives without one', () => {
    const drives = '-drive if=none,id=x0,file=a -drive file=b,if=virtio -device virtio-rng-pci';
    expect(kindsOf('-M virt')).toEqual(['net']);
    expect(kindsOf(`${drives} -device virtio-blk-pci,drive=x0`)).toEqual(['net', 'entropy', 'block', 'block']);
    expect(
      kindsOf(`-device virtio-blk-pci,drive=x0 -device virtio-net-pci,netdev=n ${drives} -netdev user,id=n`),
    ).toEqual(['block', 'net', 'entropy', 'block']);
    for (const none of ['-nic none', '-net none', '-nodefaults', '-netdev user,id=n'])
      expect(kindsOf(`${none} ${drives}`), none).toEqual(['entropy', 'block']);
  });

  test('Serial ATA disks on the buses of their controllers', () => {
    const drives = '-drive if=none,id=x,file=a -drive if=none,id=y,file=b,snapshot=on';
    const disks = (line: string): unknown => {
      const card = parse(`-nic none ${drives} ${line}`).cli.cards!.find((c) => c.kind === 'ahci');
      return card?.kind === 'ahci' && card.disks.map((d) => d?.file ?? '-').join(' ');
    };
    expect(disks('-device ahci,id=ahci -device ide-hd,drive=x,bus=ahci.0')).toBe('a - - - - -');
    expect(disks('-device ide-hd,drive=y,bus=s.5 -device ich9-ahci,id=s -device ide-hd,drive=x')).toBe('a - - - - b');
    expect(disks('-device ahci')).toBe('- - - - - -');
    expect(kindsOf(`${drives} -device ahci,id=s -device ide-hd,drive=x,bus=s.0`)).toEqual(['net', 'ahci']);
    for (const [line, message] of [
      ['-device ide-hd,drive=x', /there is no bus left: add -device ahci/],
      ['-device ahci,id=s -device ide-hd,drive=x,bus=t.0', /there is no bus 't.0'/],
      ['-device ahci,id=s -device ide-hd,drive=x,bus=s.6', /there is no bus 's.6'/],
      ['-device ahci,id=s -device ide-hd,drive=x,bus=s.0 -device ide-hd,drive=y,bus=s.0', /two disks are on bus s.0/],
      ['-device ahci,id=s -device ide-hd,drive=z,bus=s.0', /there is no drive 'z'/],
      ['-device ahci -device ahci', /two controllers have the name 'ide'/],
      ['-drive if=none,id=r,file=c,readonly=on -device ahci -device ide-hd,drive=r', /drive 'r' is read-only/],
    ] as const)
      expect(() => disks(line), line).toThrow(message);
  });

  test('interfaces of virtio cards, and their slots', () => {
    const card = (text: string): unknown => {
      const { interfaces, slot } = parse(`-nic none -device ${text}`).cli.cards![0]!;
      return [interfaces, slot];
    };
    expect(card('virtio-rng-pci')).toEqual(['transitional', undefined]);
    expect(card('virtio-rng,addr=0x7')).toEqual(['transitional', 7]);
    expect(card('virtio-rng-pci,disable-legacy=on,addr=1f.0')).toEqual(['modern', 31]);
    expect(card('virtio-rng-pci,disable-modern=on')).toEqual(['legacy', undefined]);
    expect(card('virtio-rng-pci,disable-legacy=auto,disable-modern=off')).toEqual(['transitional', undefined]);
    expect(card('virtio-rng-pci-transitional')).toEqual(['transitional', undefined]);
    expect(card('virtio-rng-pci-non-transitional')).toEqual(['modern', undefined]);
  });

  test.each([
    ['virtio-rng-pci,disable-legacy=on,disable-modern=on', /no interface is left/],
    ['virtio-rng-pci,disable-legacy=yes', /disable-legacy=yes: use on, off or auto/],
    ['virtio-rng-pci,disable-modern=auto', /disable-modern=auto: use on or off/],
    ['virtio-rng-pci-transitional,disable-legacy=on', /its name says which interfaces it has/],
    ['virtio-rng-pci,addr=0', /addr=0 is no free slot/],
    ['virtio-rng-pci,addr=20', /addr=20 is no free slot/],
    ['virtio-rng-pci,addr=3.1', /use function 0/],
    ['virtio-rng-pci-old', /is not known/],
  ])('-device %s is refused', (text, message) => {
    expect(() => parse(`-device ${text}`)).toThrow(message);
  });

  test('a folder of the host', () => {
    expect(parse('-nic none -virtfs local,path=/srv,mount_tag=data,security_model=none').cli.cards).toEqual([
      { kind: 'share', share: { folder: '/srv', tag: 'data', readOnly: false } },
    ]);
    expect(() => parse('-virtfs proxy,path=/srv')).toThrow(/use local,path=FOLDER/);
  });

  test('firmware', () => {
    expect(parse('-bios QEMU_EFI.fd').cli.firmware).toBe('QEMU_EFI.fd');
    expect(parse('-drive if=pflash,format=raw,file=code.fd').cli.firmware).toBe('code.fd');
  });

  test('a debugger', () => {
    expect(parse('-s -S').cli).toMatchObject({ gdb: { host: '127.0.0.1', port: 1234 }, wait: true });
    expect(parse('-gdb tcp::4321').cli.gdb).toEqual({ host: '127.0.0.1', port: 4321 });
  });

  test.each([
    ['-foo', /'-foo' is not understood/],
    ['kernel.elf', /'kernel.elf' is not understood/],
    ['-M pc', /-machine: 'pc' is not known: use virt/],
    ['-device virtio-balloon-pci', /costs nothing here: leave it out/],
    ['-device e1000', /-device: 'e1000' is not known/],
    ['-device virtio-blk-pci,drive=x9', /there is no drive 'x9'/],
    ['-device virtio-net-pci,netdev=n9', /there is no network 'n9'/],
    ['-gdb unix:x', /use tcp::PORT/],
    ['-kernel', /-kernel wants a value/],
    ['-smp many', /not a whole number/],
    ['-serial tcp:x', /not available in this version/],
  ])('%s is refused by name', (line, message) => {
    expect(() => parse(line)).toThrow(UsageError);
    expect(() => parse(line)).toThrow(message);
  });
});
