/** The one place that knows which devices and networks `run` has: from what the options describe to options of `run`. */
import type { DriveSpec } from '../drives.ts';
import { UsageError } from '../errors.ts';
import type { NetSpec } from '../network.ts';
import type { MachineCli } from '../options.ts';
import type { QemuDrive } from './draft.ts';
import type { QemuCard, Resolver } from './resolver.ts';

type Net = Extract<QemuCard, { kind: 'net' }>;

/** What a disk holds. */
const driveSpec = (drive: QemuDrive, snapshot: boolean): DriveSpec => ({
  file: drive.file,
  readOnly: drive.readOnly,
  copyOnWrite: drive.copyOnWrite || (snapshot && !drive.readOnly),
});

/** What is at the other end of a card. */
function netSpec(r: Resolver, { network, capture }: Net): NetSpec {
  if (capture !== undefined) return { kind: 'dump', file: capture };
  if (network !== undefined && network.kind !== 'hub')
    r.warnings.push(`${network.name} ${network.kind}: nothing is at the other end of the network in this version`);
  return { kind: 'isolated' };
}

/** The cards. @throws UsageError for what the board does not have */
export function connectCards(r: Resolver): Partial<MachineCli> {
  const buses = new Set(r.cards.map((c) => c.bus));
  if (buses.size > 1)
    throw new UsageError(
      'qemu: virtio devices on PCI and memory-mapped ones in one machine are not possible: use -pci or -device names for all',
    );
  if (r.cards.some((c) => c.kind === 'ahci'))
    throw new UsageError('qemu: -device ahci: there is no Serial ATA controller: use virtio-blk-pci');
  if (r.cards.some((c) => c.slot !== undefined))
    throw new UsageError('qemu: addr=: devices get the slots in their order: leave it out');
  const drive = r.cards.flatMap((c) => (c.kind === 'block' ? [driveSpec(c.drive, r.draft.copyOnWrite)] : []));
  const share = r.cards.flatMap((c) => (c.kind === 'share' ? [c.share] : []));
  const [net, second] = r.cards.filter((c) => c.kind === 'net');
  if (second)
    throw new UsageError('qemu: the machine has one network card, and the options describe more: leave the others out');
  return {
    ...(drive.length > 0 && { drive }),
    ...(share.length > 0 && { share }),
    ...(net && { net: netSpec(r, net) }),
    ...(net?.mac && { mac: net.mac }),
    ...(buses.has('mmio') && { virtio: 'mmio' as const }),
    ...(r.virtioConsole && { console: 'virtio' as const }),
  };
}

/** The files for RAM; `image`: the one that CPU 0 starts in. @throws UsageError for another CPU */
export function connectLoads(r: Resolver): { readonly image: string | undefined; readonly cli: Partial<MachineCli> } {
  const other = r.loads.find((l) => l.cpu !== undefined && l.cpu !== 0);
  if (other)
    throw new UsageError(
      `qemu: -device loader: cpu-num=${other.cpu}: only CPU 0 starts by itself, the others by an interrupt: leave it out`,
    );
  const entry = r.loads.find((l) => l.cpu === 0);
  const placed = r.loads.filter((l) => l !== entry).map(({ file, address }) => ({ file, address }));
  return {
    image: entry?.file,
    cli: {
      ...(entry?.address !== undefined && { load: entry.address }),
      ...(placed.length > 0 && { placed }),
    },
  };
}
