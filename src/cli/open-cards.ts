/** Opens the files and connections behind the cards of a machine. */
import type { Card } from '../emu/board/cards.ts';
import type { Outside } from '../emu/debug/run-control.ts';
import { PORTS as AHCI_PORTS } from '../emu/devices/ahci/registers.ts';
import { type Disk, VirtioBlock } from '../emu/devices/virtio/block.ts';
import { VirtioConsole } from '../emu/devices/virtio/console.ts';
import { VirtioEntropy } from '../emu/devices/virtio/entropy.ts';
import { VirtioNet } from '../emu/devices/virtio/net.ts';
import { VirtioP9 } from '../emu/devices/virtio/p9.ts';
import { DiskPast } from '../emu/replay/disk-past.ts';
import { SharePast } from '../emu/replay/share-past.ts';
import type { CardSpec } from './cards.ts';
import type { DriveSpec } from './drives.ts';
import { UsageError } from './errors.ts';
import type { Pluggable } from './net/cable.ts';
import { pluggable } from './network.ts';
import type { MachineCli } from './options.ts';
import { sandboxed } from './sandbox.ts';
import { COMPUTER } from './surroundings.ts';

/** QEMU's address of the first network card; the next ones count on. */
const FIRST_MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;
const macOf = (n: number): number[] => [...FIRST_MAC.slice(0, 5), (FIRST_MAC[5] + n) & 0xff];

/** The cards that options ask for; for `run` in this order: disks, Serial ATA disks, folders, terminal, network, random numbers. */
export function cardsOf(cli: MachineCli): readonly CardSpec[] {
  if (cli.cards) return cli.cards;
  const interfaces = cli.virtioPci;
  const drives = cli.drive ?? [];
  const sata = drives.filter((d) => d.ahci);
  if (sata.length > AHCI_PORTS)
    throw new UsageError(
      `--drive: ${sata.length} disks with bus=ahci, the controller has ${AHCI_PORTS} ports: use fewer`,
    );
  return [
    ...drives.filter((d) => !d.ahci).map((drive): CardSpec => ({ kind: 'block', drive, interfaces })),
    ...(sata.length > 0 ? [{ kind: 'ahci', disks: sata } as const] : []),
    ...(cli.share ?? []).map((share): CardSpec => ({ kind: 'share', share, interfaces })),
    ...(cli.console === 'virtio' ? [{ kind: 'console', interfaces } as const] : []),
    ...(cli.net && cli.net.kind !== 'none' ? [{ kind: 'net', net: cli.net, interfaces } as const] : []),
    { kind: 'entropy', interfaces },
  ];
}

/** The cards of a machine, and the network outside that one of them is connected to. */
export interface OpenCards {
  readonly cards: Card[];
  readonly cable: Pluggable | undefined;
  /** What goes back in time with the machine. */
  readonly outside: Outside;
}

/** Can a debugger go back in time? The disks and folders of a recorded run are of another kind. */
const goesBack = ({ gdb, gdbGuest, gdbHost, clock, record, surroundings }: MachineCli): boolean =>
  (gdb ?? gdbGuest ?? gdbHost) !== undefined && clock !== 'host' && record === undefined && surroundings === undefined;

/** Opens what the cards of a machine stand for. @throws UsageError for unusable files, and for two cards in one slot */
export function openCards(cli: MachineCli, console: (byte: number) => void): OpenCards {
  const specs = cardsOf(cli);
  const inSandbox = sandboxed(cli);
  const { surroundings = COMPUTER } = cli;
  checkSlots(specs);
  const shares = specs.flatMap((s) => (s.kind === 'share' ? [s.share] : []));
  const pasts: { disks: DiskPast[]; shares: SharePast[] } = { disks: [], shares: [] };
  const back = goesBack(cli);
  const servers = surroundings
    .shares(shares, inSandbox)
    .map((server) => (back ? added(pasts.shares, new SharePast(server)) : server))
    .values();
  const drive = (spec: DriveSpec): Disk => {
    const disk = surroundings.drive(spec, inSandbox);
    // Changes in memory go with the machine anyway.
    const changes = back && !spec.readOnly && !spec.copyOnWrite;
    return changes ? added(pasts.disks, new DiskPast(disk)) : disk;
  };
  let disks = 0;
  let sata = 0;
  let networks = 0;
  let cable: Pluggable | undefined;
  const open = (spec: CardSpec): Card[] => {
    const { slot, interfaces } = spec;
    switch (spec.kind) {
      case 'block':
        return [{ virtio: new VirtioBlock(`disk${disks++}`, drive(spec.drive)), slot, interfaces }];
      case 'share':
        return [{ virtio: new VirtioP9(spec.share.tag, servers.next().value!), slot, interfaces }];
      case 'console':
        return [{ virtio: new VirtioConsole(console), slot, interfaces }];
      case 'net': {
        const network = surroundings.net(spec.net);
        const outside = pluggable(network);
        if (outside && cable)
          throw new UsageError('two network cards lead out of the machine: only one can, make the other one isolated');
        cable ??= outside;
        const mac = spec.mac ?? macOf(networks++);
        return network ? [{ virtio: new VirtioNet(mac, network), slot, interfaces }] : [];
      }
      case 'ahci':
        return [
          {
            ahci: spec.disks.map(
              (sataDrive) => sataDrive && { disk: drive(sataDrive), serial: `LS${`${++sata}`.padStart(5, '0')}` },
            ),
            slot,
          },
        ];
      case 'entropy':
        return [{ virtio: new VirtioEntropy(cli.seed), slot, interfaces }];
    }
  };
  const cards = specs.flatMap(open);
  return { cards, cable, outside: pasts };
}

function added<T>(list: T[], item: T): T {
  list.push(item);
  return item;
}

const SLOTS = 32;

/** @throws UsageError when two cards want one slot, or there are more cards than slots */
function checkSlots(specs: readonly CardSpec[]): void {
  const taken = new Set([0]);
  for (const { slot } of specs) {
    let at = slot ?? 0;
    if (slot === undefined) while (taken.has(at)) at++;
    if (taken.has(at)) throw new UsageError(`two cards want PCI slot 0x${at.toString(16)}: change one addr=`);
    if (at >= SLOTS)
      throw new UsageError(`${specs.length} cards are more than the bus has slots: use up to ${SLOTS - 1}`);
    taken.add(at);
  }
}
