/** Linux as a KVM host on the emulator, QEMU in it, and Linux again as QEMU's guest, spoken to through one console. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineCli } from '../../src/cli/options.ts';
import { packSnapshot } from '../../src/cli/snapshots.ts';
import { GUEST_NAME, kvmInitramfs } from './images.ts';
import { APPEND, LinuxSession, PROMPT } from './session.ts';

const GUEST_LIMIT_MS = 240_000;
const BACKGROUND_APPEND =
  'console=ttyS0,115200 cryptomgr.notests swiotlb=noforce quiet panic=-1 initcall_blacklist=i8042_init';

export interface GuestSetup {
  readonly vcpus: number;
  /** QEMU's -cpu (its default if left out). */
  readonly cpu?: string;
  /** MiB. */
  readonly memory?: number;
  /** Through Debian's UEFI: then the guest has ACPI, and with it PCI. */
  readonly firmware?: boolean;
}

/** Boots a KVM host. @param cli options of the machine, with an initrd of `kvmInitramfs` */
export function bootHost(
  cli: Partial<MachineCli>,
  show: (bytes: Uint8Array) => void = () => {},
): Promise<LinuxSession> {
  return LinuxSession.boot({ memory: 2 ** 31, timeout: 600, append: `${APPEND} quiet`, ...cli }, show);
}

/**
 * Starts the guest on the host's console: what is typed then goes to the guest's shell.
 * @returns seconds to its shell
 * @throws Error with what the console has shown when QEMU ends before
 */
export async function startGuest(
  host: LinuxSession,
  { vcpus, cpu, memory = 512, firmware }: GuestSetup,
): Promise<number> {
  const began = performance.now();
  const more = `${cpu ? ` -cpu ${cpu}` : ''}${firmware ? ' -bios /guest/firmware.fd' : ''}`;
  host.type(`guest -smp ${vcpus} -m ${memory}${more}\n`);
  await host.expect(PROMPT, GUEST_LIMIT_MS);
  const seconds = (performance.now() - began) / 1000;
  const { output } = await host.run('uname -n');
  if (output !== GUEST_NAME)
    throw new Error(`QEMU ended before its guest had a shell: ${host.transcript.slice(-2000)}`);
  return seconds;
}

/** Powers the guest off, so that QEMU ends and the host's shell is there again. @returns QEMU's exit status */
export async function stopGuest(host: LinuxSession): Promise<number> {
  host.type('poweroff -f\n');
  await host.expect(PROMPT);
  const { output } = await host.run('echo $?; uname -n');
  const m = /^(\d+)\n(?!guest)/.exec(output);
  if (!m) throw new Error(`the guest is still there: ${output}`);
  return Number(m[1]);
}

/** Starts a VM of QEMU's in the background, and waits for its shell. @param n tells their files apart; 1 and up */
export async function startInBackground(
  host: LinuxSession,
  { n, vcpus = 1, append = BACKGROUND_APPEND }: { n: number; vcpus?: number; append?: string },
): Promise<void> {
  const qemu = `qemu-system-loongarch64 -machine virt,accel=kvm -nodefaults -display none -m 256 -smp ${vcpus} -serial file:/tmp/out${n}`;
  const images = `-kernel /guest/vmlinuz -initrd /guest/initramfs -append "${append}"`;
  await host.run(`(${qemu} ${images} </dev/null >/tmp/log${n} 2>&1 & echo $! >/tmp/pid${n})`);
  const wait = `until grep -q '^# ' /tmp/out${n} || ! kill -0 $(cat /tmp/pid${n}); do sleep 0.1; done; cat /tmp/log${n}`;
  const { output } = await host.run(`touch /tmp/out${n}; ${wait}`, GUEST_LIMIT_MS);
  if (output !== '') throw new Error(`VM ${n} has no shell: ${output}`);
}

/** Ends a VM that {@link startInBackground} started. */
export async function endInBackground(host: LinuxSession, n: number): Promise<void> {
  await host.run(`kill $(cat /tmp/pid${n}); while [ -e /proc/$(cat /tmp/pid${n}) ]; do sleep 0.1; done`);
}

/** A snapshot of the host with its VMs, and what was seen of them. */
export function snapshotOf(host: LinuxSession): Uint8Array {
  const { control } = host.running!;
  return packSnapshot(control.machine, control.observers);
}

/** Writes a snapshot of a host with two CPUs and two VMs, the first one with two vCPUs. Kernels run where their symbols say. */
export async function makeKvmSnapshot(file: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-kvm-'));
  try {
    const initrd = join(folder, 'initramfs');
    writeFileSync(initrd, kvmInitramfs());
    const append = `${APPEND} quiet nokaslr`;
    // What is seen of VMs is kept where a debugger may come.
    const host = await bootHost({
      ...{ initrd, append, smp: 2, memory: 1.5 * 2 ** 30, timeout: 1200 },
      gdb: { host: '127.0.0.1', port: 0 },
    });
    for (const n of [1, 2]) await startInBackground(host, { n, vcpus: 3 - n, append: `${BACKGROUND_APPEND} nokaslr` });
    writeFileSync(file, snapshotOf(host));
    host.running!.control.quit();
    await host.done;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
