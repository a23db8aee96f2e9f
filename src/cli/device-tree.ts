/** The device tree of a machine as a file, for `--dump-dtb` and QEMU's `-M dumpdtb=`. */
import { writeFileSync } from 'node:fs';
import { type BootFiles, layOut } from '../emu/boot/load.ts';
import { PLATFORM } from '../emu/memory/physical-map.ts';
import { asUsage, bootImages, readDeviceTree, readInitrd } from './boot.ts';
import { UsageError } from './errors.ts';
import { cardsOf } from './open-cards.ts';
import type { MachineCli } from './options.ts';
import { unwritable } from './unwritable.ts';

/** How many virtio devices a machine has that may be memory-mapped. */
const countVirtio = (cli: MachineCli): number =>
  cardsOf(cli).filter((card) => card.kind !== 'ahci' && !(card.kind === 'net' && card.net.kind === 'none')).length;

/**
 * The device tree that the machine of the options gets, for `--dump-dtb` and QEMU's `-M dumpdtb=`. An image is not needed.
 * @throws UsageError
 */
export function boardTree(image: string | undefined, cli: MachineCli): Uint8Array {
  return asUsage(() => {
    const own = image ?? cli.kernel ?? cli.hypervisor ?? cli.firmware ?? cli.guest;
    const files: BootFiles =
      own !== undefined
        ? bootImages(image, cli).files
        : {
            image: { entry: 0n, segments: [] },
            commandLine: cli.append ?? '',
            initrd: readInitrd(cli),
            deviceTree: readDeviceTree(cli),
            protocol: cli.boot,
            extra: [],
          };
    const virtioMmio = cli.virtio === 'mmio' ? Math.min(countVirtio(cli), PLATFORM.virtioMmio.most) : 0;
    const { deviceTree } = layOut(files, {
      cpus: cli.smp,
      ramSize: cli.memory,
      seed: cli.seed,
      virtioMmio,
      topology: cli.topology,
    });
    if (!deviceTree) throw new UsageError('--boot none has no device tree: leave one of the options out');
    return deviceTree;
  });
}

/** Writes the device tree to a file. @throws UsageError */
export function dumpDeviceTree(image: string | undefined, cli: MachineCli, file: string): void {
  const tree = boardTree(image, cli);
  try {
    writeFileSync(file, tree);
  } catch (error) {
    throw unwritable(`cannot write ${file}`, error);
  }
}
