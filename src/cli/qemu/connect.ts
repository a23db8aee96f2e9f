/** From what the options describe to options of `run`: cards with their disks and networks, and files for RAM. */
import type { CardSpec } from '../cards.ts';
import type { DriveSpec } from '../drives.ts';
import { UsageError } from '../errors.ts';
import { isNbd, parseNbd } from '../nbd/address.ts';
import { isOutside, type NetSpec, parseHostname } from '../net/spec.ts';
import type { LoadSpec, MachineCli } from '../options.ts';
import type { QemuDrive } from './draft.ts';
import type { QemuCard, QemuLoad, Resolver } from './resolver.ts';

type Net = Extract<QemuCard, { kind: 'net' }>;

/** What a disk holds. */
const driveSpec = ({ file, raw, readOnly, copyOnWrite }: QemuDrive, snapshot: boolean): DriveSpec => ({
  file,
  readOnly,
  copyOnWrite: copyOnWrite || (snapshot && !readOnly),
  ...(isNbd(file) ? { nbd: parseNbd(file) } : { probe: !raw }),
});

/** What is at the other end of a card. @throws UsageError */
function netSpec({ network, capture }: Net): NetSpec {
  const packets = capture === undefined ? {} : { pcap: capture };
  if (network === undefined || network.kind === 'hub') return { kind: 'isolated', ...packets };
  if (network.kind !== 'user') return { ...network, ...packets };
  const { hostname, ...user } = network;
  return { ...user, ...(hostname !== undefined && { hostname: parseHostname(hostname) }), ...packets };
}

/** A card of the machine. @throws UsageError for what the board does not have */
function cardSpec(r: Resolver, card: QemuCard): CardSpec {
  const snapshot = r.draft.copyOnWrite;
  const place = card.bus === 'mmio' ? {} : { slot: card.slot, interfaces: card.interfaces };
  switch (card.kind) {
    case 'block':
      return { kind: 'block', drive: driveSpec(card.drive, snapshot), ...place };
    case 'net':
      return { kind: 'net', net: netSpec(card), mac: card.mac, ...place };
    case 'share':
      return { kind: 'share', share: card.share, ...place };
    case 'ahci': {
      const readOnly = card.disks.find((d) => d?.readOnly);
      if (readOnly)
        throw new UsageError(
          `qemu: -device ide-hd: ${readOnly.file}: a Serial ATA disk cannot be read-only: use snapshot=on, or virtio-blk-pci`,
        );
      return { kind: 'ahci', disks: card.disks.map((d) => d && driveSpec(d, snapshot)), slot: card.slot };
    }
    case 'entropy':
    case 'console':
      return { kind: card.kind, ...place };
  }
}

/** The cards. @throws UsageError for what the board does not have */
export function connectCards(r: Resolver): Partial<MachineCli> {
  const buses = new Set(r.cards.map((c) => c.bus));
  if (buses.size > 1)
    throw new UsageError(
      'qemu: virtio devices on PCI and memory-mapped ones in one machine are not possible: use -pci or -device names for all',
    );
  const cards = r.cards.map((card) => cardSpec(r, card));
  if (cards.filter((c) => c.kind === 'net' && isOutside(c.net)).length > 1)
    throw new UsageError('qemu: only one network card can lead out of the machine: leave -netdev of the others out');
  return {
    cards,
    ...(buses.has('mmio') && { virtio: 'mmio' as const }),
    ...(r.virtioConsole && { console: 'virtio' as const }),
  };
}

const loadSpec = ({ file, address, cpu, raw }: QemuLoad): LoadSpec => ({ file, address, cpu, raw });

/** The files for RAM. `image`: the one that CPU 0 starts in, when there is no kernel. */
export function connectLoads(r: Resolver): { readonly image: string | undefined; readonly cli: Partial<MachineCli> } {
  const entry = r.loads.find((l) => l.cpu === 0 && !l.raw);
  const others = r.loads.filter((l) => l !== entry).map(loadSpec);
  const load = [...(entry?.address !== undefined ? [{ address: entry.address }] : []), ...others];
  return { image: entry?.file, cli: load.length > 0 ? { load } : {} };
}
