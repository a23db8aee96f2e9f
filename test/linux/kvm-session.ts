/** Linux as a KVM host on the emulator, QEMU in it, and Linux again as QEMU's guest, spoken to through one console. */
import type { MachineCli } from '../../src/cli/options.ts';
import { GUEST_NAME } from './images.ts';
import { APPEND, LinuxSession, PROMPT } from './session.ts';

const GUEST_LIMIT_MS = 240_000;
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
