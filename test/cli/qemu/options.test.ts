/** The command line of QEMU. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/errors.ts';
import { parseQemu } from '../../../src/cli/qemu/parse.ts';
import type { QemuMachine } from '../../../src/cli/qemu/translate.ts';

/** The machine of a line; a line that starts nothing gets a kernel. */
function parse(line: string): QemuMachine {
  const args = line.split(' ').filter(Boolean);
  const starts = /-(kernel|bios|pflash)\b|if=pflash|cpu-num=0/.test(line);
  const request = parseQemu(starts ? args : [...args, '-kernel', 'k']);
  if (request.kind !== 'machine') throw new Error(request.text);
  return request.machine;
}

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
      '-device virtio-blk-pci,drive=x0 -drive id=x0,file=disk.img,format=raw,if=none -drive if=none,id=x1,file=unused -snapshot -device virtio-net-pci',
    );
    expect(cli.drive).toEqual([{ file: 'disk.img', readOnly: false, copyOnWrite: true }]);
    expect(cli.net).toEqual({ kind: 'isolated' });
  });

  test('a folder of the host', () => {
    expect(parse('-virtfs local,path=/srv,mount_tag=data,security_model=none').cli.share).toEqual([
      { folder: '/srv', tag: 'data', readOnly: false },
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
    ['-foo', /'-foo' is not known/],
    ['kernel.elf', /'kernel.elf' is no option: a kernel needs -kernel/],
    ['-M pc', /-machine: 'pc' is not known: use virt/],
    ['-device virtio-balloon-pci', /costs nothing here: leave it out/],
    ['-device e1000', /-device e1000: there is no such network card: use virtio-net-pci/],
    ['-device virtio-blk-pci,drive=x9', /there is no drive 'x9'/],
    ['-device virtio-net-pci,netdev=n9', /there is no network 'n9'/],
    ['-gdb udp::1', /use tcp::PORT/],
    ['-kernel', /-kernel wants a value/],
    ['-smp many', /not a whole number/],
    ['-serial tcp:x', /'x' is no address: write HOST:PORT/],
  ])('%s is refused by name', (line, message) => {
    expect(() => parse(line)).toThrow(UsageError);
    expect(() => parse(line)).toThrow(message);
  });
});
