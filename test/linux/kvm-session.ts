/** Linux as a KVM host on the emulator, QEMU in it, and Linux again as QEMU's guest, spoken to through one console. */
import type { MachineCli } from '../../src/cli/options.ts';
import { APPEND, LinuxSession, PROMPT } from './session.ts';

const GUEST_LIMIT_MS = 240_000;
/** With QEMU's device tree, Debian's kernel would access ports that do not exist, whatever QEMU runs on. */
const WITHOUT_PORTS = 'initcall_blacklist=i8042_init';
/** The name by which the guest's kernel goes, so that its shell is not taken for the host's. */
const GUEST_NAME = 'guest';

export interface GuestSetup {
  readonly vcpus: number;
  /** QEMU's -cpu (its default if left out). */
  readonly cpu?: string;
  /** MiB. */
  readonly memory?: number;
  /** Through Debian's UEFI: then the guest has ACPI, and with it PCI. */
  readonly firmware?: boolean;
}

/** The command that starts the guest from the files of `kvmInitramfs`, with a disk and random numbers. */
export function qemuCommand({ vcpus, cpu, memory = 512, firmware }: GuestSetup): string {
  return [
    'qemu-system-loongarch64 -machine virt,accel=kvm -nodefaults -nographic -no-reboot -serial stdio',
    ...(cpu ? [`-cpu ${cpu}`] : []),
    ...(firmware ? ['-bios /guest/firmware.fd'] : []),
    `-smp ${vcpus} -m ${memory}`,
    '-drive file=/tmp/disk,if=virtio,format=raw -device virtio-rng-pci',
    // A panic ends QEMU.
    `-kernel /guest/vmlinuz -initrd /guest/initramfs -append "${APPEND} quiet panic=-1 hostname=${GUEST_NAME}${firmware ? '' : ` ${WITHOUT_PORTS}`}"`,
  ].join(' ');
}

/** Boots a KVM host. @param cli options of the machine, with an initrd of `kvmInitramfs` */
export async function bootHost(
  cli: Partial<MachineCli>,
  show: (bytes: Uint8Array) => void = () => {},
): Promise<LinuxSession> {
  const host = await LinuxSession.boot({ memory: 2 ** 31, timeout: 600, append: `${APPEND} quiet`, ...cli }, show);
  await host.run('dd if=/dev/zero of=/tmp/disk bs=1M count=0 seek=32');
  return host;
}

/**
 * Starts the guest on the host's console: what is typed then goes to the guest's shell.
 * @returns seconds to its shell
 * @throws Error with what the console has shown when QEMU ends before
 */
export async function startGuest(host: LinuxSession, setup: GuestSetup): Promise<number> {
  const began = performance.now();
  host.type(`${qemuCommand(setup)}\n`);
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
