/** What a recording keeps of the command line. */
import type { MachineCli } from '../options.ts';

/** The options that make the machine. Others are about the person who runs it. */
const MACHINE_OPTIONS = [
  ...['kernel', 'append', 'initrd', 'firmware', 'dtb', 'load', 'boot', 'fwCfg', 'timeOfDay', 'topology'],
  ...['drive', 'net', 'mac', 'share', 'virtio', 'virtioPci', 'cards', 'console', 'guest', 'hypervisor'],
  ...['machine', 'memory', 'smp', 'cpu', 'seed', 'reboot', 'snapshot'],
] as const satisfies readonly (keyof MachineCli)[];

/** The options of a machine that a recording keeps. */
export const machineOptions = (cli: MachineCli): Record<string, unknown> =>
  Object.fromEntries(MACHINE_OPTIONS.flatMap((name) => (cli[name] === undefined ? [] : [[name, cli[name]]])));
