/**
 * Command lines of public projects, as they stand there: each is accepted, and boots. Variables of make and of the shell have the
 * values that these projects give them; the files are small ones of the same names.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeCpio } from '../../linux/cpio.ts';
import { disk, folder, greeter, peStub, qemu, rawGreeter } from './guest.ts';

interface PublicLine {
  readonly project: string;
  /** Repository, file and commit. */
  readonly source: string;
  readonly line: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Files that the run makes. */
  readonly makes?: readonly string[];
}

const HELLO = 'hello';
const kernel = greeter(HELLO);
const firmware = rawGreeter(HELLO);

const LINES: readonly PublicLine[] = [
  {
    project: 'ArceOS: make run ARCH=loongarch64 BLK=y NET=y GRAPHIC=n',
    source: 'arceos-org/arceos scripts/make/qemu.mk 6f67c5006ba2e1ca6f26656fbf2b85a41e2e9945',
    line: `-m 1G -smp 1 -machine virt -kernel shell_loongarch64-qemu-virt.elf
      -device virtio-blk-pci,drive=disk0 -drive id=disk0,if=none,format=raw,file=disk.img
      -device virtio-net-pci,netdev=net0 -netdev user,id=net0,hostfwd=tcp::5555-:5555,hostfwd=udp::5555-:5555
      -nographic`,
    files: { 'shell_loongarch64-qemu-virt.elf': kernel, 'disk.img': disk() },
  },
  {
    project: 'ArceOS: the same with NET_DUMP=y QEMU_LOG=y SMP=4',
    source: 'arceos-org/arceos scripts/make/qemu.mk 6f67c5006ba2e1ca6f26656fbf2b85a41e2e9945',
    line: `-m 1G -smp 4 -machine virt -kernel httpserver_loongarch64-qemu-virt.elf
      -device virtio-net-pci,netdev=net0 -netdev user,id=net0,hostfwd=tcp::5555-:5555,hostfwd=udp::5555-:5555
      -object filter-dump,id=dump0,netdev=net0,file=netdump.pcap
      -nographic -D qemu.log -d in_asm,int,mmu,pcall,cpu_reset,guest_errors`,
    files: { 'httpserver_loongarch64-qemu-virt.elf': kernel },
    makes: ['netdump.pcap', 'qemu.log'],
  },
  {
    project: 'the judge of the OS competition, with the second disk',
    source: 'oscomp/autotest-for-oskernel kernel/run_qemu.py 700c73f7ea7457629cf92ee270fa28e3a1bda0d4',
    line: `-kernel kernel-la -m 1G -nographic -smp 1 -drive file=sdcard-la.img,if=none,format=raw,id=x0
      -device virtio-blk-pci,drive=x0 -no-reboot -device virtio-net-pci,netdev=net0
      -netdev user,id=net0 -rtc base=utc
      -drive file=disk-la.img,if=none,format=raw,id=x1 -device virtio-blk-pci,drive=x1`,
    files: { 'kernel-la': kernel, 'sdcard-la.img': disk(), 'disk-la.img': disk() },
  },
  {
    project: 'SC7: make run',
    source: 'WHU-SC7/SC7 Makefile 001f78eec3e29986892eaba7d262f48f18f5be55',
    line: `-kernel build/loongarch/kernel-la -m 1G -nographic -smp 1
      -drive file=sdcard-la.img,if=none,format=raw,id=x0 -device virtio-blk-pci,drive=x0 -no-reboot
      -device virtio-net-pci,netdev=net0 -netdev user,id=net0,hostfwd=tcp::5555-:5555,hostfwd=udp::5555-:5555`,
    files: { 'build/loongarch/kernel-la': kernel, 'sdcard-la.img': disk() },
  },
  {
    project: 'StarryOS for LoongArch: make run BLK=y NET=y GRAPHIC=n ACCEL=n',
    source: 'LoongsonLab/StarryOS-LoongArch scripts/make/qemu.mk 09a8e8453cf782ef74b692381c89b53026db79ab',
    line: `-m 4G -smp 1 -machine virt -kernel starry.elf
      -device virtio-blk-pci,drive=disk0 -drive id=disk0,if=none,format=raw,file=disk.img
      -device virtio-net-pci,netdev=net0 -netdev user,id=net0,hostfwd=tcp::5555-:5555,hostfwd=udp::5555-:5555
      -nographic -vga none`,
    files: { 'starry.elf': kernel, 'disk.img': disk() },
  },
  {
    project: 'AxVisor: its tests on QEMU (the tool that reads the file adds -kernel)',
    source:
      'rcore-os/tgoskits os/axvisor/.github/workflows/qemu-loongarch64.toml 36c6feca434aa93bcacedb80d14105cd752a403f',
    line: '-machine virt -cpu la464 -m 2G -smp 1 -nographic -serial mon:stdio -no-reboot -kernel axvisor',
    files: { axvisor: kernel },
  },
  {
    project: 'hvisor: Linux for the root zone',
    source: 'enkerewpo/linux-hvisor-loongarch64 run_qemu.sh 5bf9f5f574a9409e8ece44a50712ddcc62b0ce45',
    line: '-machine virt -m 16G -cpu la464 -smp 1 -kernel linux-6.11.6/vmlinux -serial mon:stdio --nographic',
    files: { 'linux-6.11.6/vmlinux': kernel },
  },
  {
    project: 'hvisor: an image for UEFI',
    source: 'syswonder/hvisor_uefi_packer test_run_loongarch64.sh 0aed4fe35d9f9968f0129be3ba137b91f2a79886',
    line: `-machine virt -smp 4 -m 4G -nographic
      -bios firmware/QEMU_EFI_LOONGARCH64.fd -kernel ./BOOTLOONGARCH64.EFI`,
    files: { 'firmware/QEMU_EFI_LOONGARCH64.fd': firmware, 'BOOTLOONGARCH64.EFI': peStub() },
  },
  {
    project: 'the environment of xv6 and of other courses',
    source: 'foxsen/qemu-loongarch-runenv docker/run.sh 6292e1d462818e0d12ed9aeae06e5e42810f51d7',
    line: `-machine virt -m 1024 -cpu la464-loongarch-cpu -smp 1
      -bios ./tianocore/Build/LoongArchQemu/RELEASE_GCC5/FV/QEMU_EFI.fd
      -kernel ./linux/arch/loongarch/boot/vmlinuz.efi -initrd ./qemu-binary/ramdisk
      -append "root=/dev/ram rdinit=/sbin/init console=ttyS0,115200" --nographic`,
    files: {
      'tianocore/Build/LoongArchQemu/RELEASE_GCC5/FV/QEMU_EFI.fd': firmware,
      'linux/arch/loongarch/boot/vmlinuz.efi': peStub(),
      'qemu-binary/ramdisk': writeCpio([]),
    },
  },
  {
    project: 'the manual of QEMU',
    source: 'qemu/qemu docs/system/loongarch/virt.rst 1dfd42c4264bbf47415a9e73f0d6b4e6a7cd7393',
    line: `-machine virt -m 4G -cpu la464 -smp 1 -bios QEMU_EFI.fd -kernel vmlinuz.efi -initrd ramdisk
      -serial stdio -monitor telnet:localhost:4495,server,nowait
      -append "root=/dev/ram rdinit=/sbin/init console=ttyS0,115200" --nographic`,
    files: {
      'QEMU_EFI.fd': firmware,
      'vmlinuz.efi': peStub(),
      ramdisk: writeCpio([]),
    },
  },
  {
    project: 'StarryOS: its kernel on four CPUs (the tool that reads the file adds -kernel)',
    source: 'rcore-os/tgoskits os/StarryOS/kernel/qemu-loongarch64.toml 32df6001383bb09add459f394df7632eac9befec',
    line: '-machine virt -cpu la464 -nographic -m 512M -smp 4 -kernel starryos.bin',
    files: { 'starryos.bin': firmware },
  },
];

/** The words of a line of a shell: quotes keep blanks together. */
const wordsOf = (line: string): string[] => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2]!);

describe('command lines of public projects', () => {
  test('there are ten and more, each with its place', () => {
    expect(LINES.length).toBeGreaterThanOrEqual(10);
    for (const { source } of LINES) expect(source).toMatch(/^[\w-]+\/[\w-]+ \S+ [0-9a-f]{40}$/);
  });

  test.each(LINES)('$project', async ({ line, files, makes = [] }) => {
    const cwd = folder(files);
    const { code, out, err } = await qemu(cwd, wordsOf(line));
    expect({ code, out, err }).toMatchObject({ code: 0, out: HELLO });
    // Whatever it says, it is a warning that names the option.
    expect(err.split('\n').filter((l) => l && !/^loongscope: warning: qemu: -\w+/.test(l))).toEqual([]);
    expect(new Set(err.split('\n')).size).toBe(err.split('\n').length);
    for (const file of makes) expect(existsSync(join(cwd, file)), file).toBe(true);
  });

  test('a dump of the network is a capture file', async () => {
    const cwd = folder({ k: kernel });
    const line =
      '-kernel k -device virtio-net-pci,netdev=n -netdev user,id=n -object filter-dump,id=d,netdev=n,file=n.pcap';
    expect((await qemu(cwd, wordsOf(line))).code).toBe(0);
    expect(new DataView(readFileSync(join(cwd, 'n.pcap')).buffer.slice(0)).byteLength).toBeGreaterThanOrEqual(24);
  });
});
