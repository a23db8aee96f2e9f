/** Debian's kernel for loong64, and a first root file system of busybox and the modules that the checks need. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { type CpioEntry, MODE, writeCpio } from './cpio.ts';
import { librariesOf } from './shared-libraries.ts';

/** Where scripts/lib/linux.sh (`ensure_linux`) puts what it brings. */
export const LINUX = join(PROJECT_ROOT, '.tools', 'linux');
export const KERNEL = join(LINUX, 'vmlinuz');
/** UEFI (`ensure_firmware`). */
export const FIRMWARE = join(PROJECT_ROOT, '.tools', 'firmware.fd');
export const haveFirmware = (): boolean => existsSync(FIRMWARE);

/** Is it all there? */
export const haveLinux = (): boolean => existsSync(KERNEL) && existsSync(join(LINUX, 'busybox'));

/** Modules that the checks load, without what they depend on. */
const MODULES = ['virtio_mmio', 'virtio_blk', 'virtio-rng', 'virtio_net', 'ext4', '9pnet_virtio', '9p'];

/** What a module says that it depends on. */
function depends(module: Uint8Array): string[] {
  const m = /depends=([^\0]*)\0/.exec(Buffer.from(module).toString('latin1'));
  return m?.[1] ? m[1].split(',') : [];
}

/** The files of modules and of what they depend on, in the order in which they can be loaded. */
function modules(names: readonly string[]): { name: string; data: Uint8Array }[] {
  const folder = join(LINUX, 'modules');
  const files = new Map(readdirSync(folder).map((f) => [basename(f, '.ko').replace(/-/g, '_'), join(folder, f)]));
  const out = new Map<string, Uint8Array>();
  const add = (name: string): void => {
    const key = name.replace(/-/g, '_');
    const file = files.get(key);
    // Built into the kernel.
    if (!file || out.has(key)) return;
    const data = new Uint8Array(readFileSync(file));
    for (const d of depends(data)) add(d);
    out.set(key, data);
  };
  for (const n of names) add(n);
  return [...out].map(([name, data]) => ({ name, data }));
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const folder = (path: string): CpioEntry => ({ path, mode: MODE.folder });

/** Sets the machine up and leaves a shell on the console. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /modules/order); do insmod /modules/$m.ko; done
# root=DEVICE: the system is there.
for a in $(cat /proc/cmdline); do
  case $a in
    root=*) mount -t ext4 \${a#root=} /mnt && umount /proc /sys /dev && exec switch_root /mnt /sbin/init ;;
  esac
done
export PS1='# '
stty cols 2000 rows 50
dmesg -n 1
exec setsid cttyhack sh
`;

/** Drivers of Serial ATA disks, in /sata; they can stand behind the root file system. /sata/load loads them. */
export function sataDrivers(): Uint8Array {
  const list = modules(['ahci', 'sd_mod']);
  const load = list.map((m) => `insmod /sata/${m.name}.ko || exit 1\n`).join('');
  return writeCpio([
    folder('sata'),
    { path: 'sata/load', mode: MODE.program, data: bytes(`#!/bin/sh\n${load}`) },
    ...list.map(({ name, data }) => ({ path: `sata/${name}.ko`, mode: MODE.file, data })),
  ]);
}

/** The root file system as an archive. @param more further files, folders before what is in them */
export function initramfs(more: readonly CpioEntry[] = []): Uint8Array {
  const list = modules(MODULES);
  return writeCpio([
    ...['bin', 'proc', 'sys', 'dev', 'mnt', 'modules'].map(folder),
    { path: 'bin/busybox', mode: MODE.program, data: new Uint8Array(readFileSync(join(LINUX, 'busybox'))) },
    { path: 'init', mode: MODE.program, data: bytes(INIT) },
    { path: 'modules/order', mode: MODE.file, data: bytes(list.map((m) => m.name).join(' ')) },
    ...list.map(({ name, data }) => ({ path: `modules/${name}.ko`, mode: MODE.file, data })),
    ...more,
  ]);
}

/** Where scripts/lib/linux.sh (`ensure_qemu_loong64`) puts Debian's QEMU for loong64 and its libraries. */
const QEMU = join(LINUX, 'qemu', 'usr');
const QEMU_PROGRAM = 'bin/qemu-system-loongarch64';
/** The dynamic loader, by the path that programs name. */
const LOADER = 'ld-linux-loongarch-lp64d.so.1';
export const haveQemu = (): boolean => haveLinux() && existsSync(join(QEMU, QEMU_PROGRAM));

/** The name by which the guest's kernel goes, so that its shell is not taken for the host's. */
export const GUEST_NAME = 'guest';

/**
 * Starts the guest. With QEMU's device tree, Debian's kernel would access ports that do not exist, whatever QEMU runs on; a firmware
 * gives it ACPI, and with it PCI. A panic ends QEMU.
 */
const START_GUEST = `#!/bin/busybox sh
# Starts the guest. Arguments go to QEMU (-smp 2, -m 1G, -cpu host, -bios /guest/firmware.fd), $APPEND to the guest's kernel.
[ -e /tmp/disk ] || truncate -s 32M /tmp/disk
case "$*" in
  *-bios*) ;;
  *) APPEND="$APPEND initcall_blacklist=i8042_init" ;;
esac
exec qemu-system-loongarch64 -machine virt,accel=kvm -nodefaults -nographic -no-reboot -serial stdio -m 512 \\
  -drive file=/tmp/disk,if=virtio,format=raw -device virtio-rng-pci -kernel /guest/vmlinuz -initrd /guest/initramfs \\
  -append "console=ttyS0,115200 cryptomgr.notests swiotlb=noforce quiet panic=-1 hostname=${GUEST_NAME} $APPEND" "$@"
`;

/** The root file system of a KVM host: QEMU with its libraries in it, the command `guest`, and in /guest the guest's files. */
export function kvmInitramfs(): Uint8Array {
  const file = (path: string, from: string, mode: number = MODE.file): CpioEntry => ({
    path,
    mode,
    data: new Uint8Array(readFileSync(from)),
  });
  const libraries = librariesOf(join(QEMU, QEMU_PROGRAM), join(QEMU, 'lib')).filter((name) => name !== LOADER);
  return initramfs([
    { path: 'bin/guest', mode: MODE.program, data: bytes(START_GUEST) },
    ...['lib64', 'tmp', 'usr', 'usr/bin', 'usr/lib', 'guest'].map(folder),
    file(`usr/${QEMU_PROGRAM}`, join(QEMU, QEMU_PROGRAM), MODE.program),
    file(`lib64/${LOADER}`, join(QEMU, 'lib', LOADER), MODE.program),
    ...libraries.map((name) => file(`usr/lib/${name}`, join(QEMU, 'lib', name))),
    file('guest/vmlinuz', KERNEL),
    { path: 'guest/initramfs', mode: MODE.file, data: initramfs() },
    ...(haveFirmware() ? [file('guest/firmware.fd', FIRMWARE)] : []),
  ]);
}
