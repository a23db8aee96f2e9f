/** Debian's kernel for loong64, and a first root file system of busybox and the modules that the checks need. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { type CpioEntry, MODE, writeCpio } from './cpio.ts';

/** Where scripts/lib/prepare.sh (`ensure_linux`) puts what it brings. */
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

/** The root file system as an archive. */
export function initramfs(): Uint8Array {
  const list = modules(MODULES);
  return writeCpio([
    ...['bin', 'proc', 'sys', 'dev', 'mnt', 'modules'].map(folder),
    { path: 'bin/busybox', mode: MODE.program, data: new Uint8Array(readFileSync(join(LINUX, 'busybox'))) },
    { path: 'init', mode: MODE.program, data: bytes(INIT) },
    { path: 'modules/order', mode: MODE.file, data: bytes(list.map((m) => m.name).join(' ')) },
    ...list.map(({ name, data }) => ({ path: `modules/${name}.ko`, mode: MODE.file, data })),
  ]);
}
