/** Finds what -device options refer to, when all options have been read: drives, networks, folders, character devices. */
import type { VirtioBus } from '../../emu/board/cards.ts';
import { PORTS as AHCI_PORTS } from '../../emu/devices/ahci/registers.ts';
import type { VirtioInterfaces } from '../../emu/devices/virtio/pci.ts';
import type { CharacterSpec } from '../character.ts';
import { UsageError } from '../errors.ts';
import type { ShareSpec } from '../share.ts';
import type { Draft, QemuCharacter, QemuDrive, QemuNetwork } from './draft.ts';
import type { Properties } from './properties.ts';

/** Where a card sits. */
export interface CardPlace {
  readonly bus: VirtioBus;
  readonly interfaces: VirtioInterfaces;
  /** Number of the PCI slot; undefined: the next free one. */
  readonly slot: number | undefined;
}

/** What is in a slot, or on the memory-mapped bus. */
export type QemuCard = (
  | { readonly kind: 'block'; readonly drive: QemuDrive }
  | {
      readonly kind: 'net';
      readonly network: QemuNetwork | undefined;
      readonly mac: readonly number[] | undefined;
      /** A file for its packets. */
      readonly capture: string | undefined;
    }
  | { readonly kind: 'share'; readonly share: ShareSpec }
  | { readonly kind: 'entropy' }
  | { readonly kind: 'console' }
  /** A Serial ATA controller, with disks by port. */
  | { readonly kind: 'ahci'; readonly id: string; readonly disks: (QemuDrive | undefined)[] }
) &
  CardPlace;

/** A file for RAM. */
export interface QemuLoad {
  readonly file: string;
  /** Where it goes; undefined: an ELF file says it itself. */
  readonly address: number | undefined;
  /** The CPU that starts there. */
  readonly cpu: number | undefined;
  /** The bytes of an ELF, too, are copied as they are. */
  readonly raw: boolean;
}

/** Buses that devices may name, as QEMU calls them. */
const BUSES: Readonly<Record<VirtioBus, RegExp>> = {
  pci: /^pcie\.0$/,
  mmio: /^virtio-mmio-bus\.\d+$/,
};
const BUS_NAMES = { pci: 'pcie.0', mmio: 'virtio-mmio-bus.0' } as const;

export class Resolver {
  readonly draft: Draft;
  /** In their order. */
  readonly cards: QemuCard[] = [];
  readonly loads: QemuLoad[] = [];
  /** Serial ATA disks, with the bus that each asks for. */
  private readonly sata: { readonly drive: QemuDrive; readonly bus: string | undefined; readonly option: string }[] =
    [];
  /** What has no effect, or not the one that QEMU has. */
  readonly warnings: string[] = [];
  /** The backend of a virtio console. */
  virtioConsole: CharacterSpec | undefined;
  /** Who has taken a drive, a network or a character device, by kind and id. */
  private readonly users = new Map<string, string>();

  constructor(draft: Draft) {
    this.draft = draft;
  }

  /** @throws UsageError when something else has it already */
  private take(kind: string, id: string, user: string): void {
    const other = this.users.get(`${kind} ${id}`);
    if (other !== undefined)
      throw new UsageError(`qemu: ${user}: the ${kind} '${id}' belongs to ${other} already: give each its own`);
    this.users.set(`${kind} ${id}`, user);
  }

  /** Does a device use it? */
  has(kind: string, id: string): boolean {
    return this.users.has(`${kind} ${id}`);
  }

  /** Checks where a virtio device is to be. @throws UsageError for a bus that is not there */
  place(p: Properties, bus: VirtioBus, interfaces: VirtioInterfaces): CardPlace {
    const name = p.get('bus');
    if (name !== undefined && !BUSES[bus].test(name))
      throw p.error(`there is no bus '${name}' for it: use bus=${BUS_NAMES[bus]}, or leave it out`);
    const [old, modern] = [p.get('disable-legacy'), p.get('disable-modern')];
    if (old === 'on' && modern === 'on')
      throw p.error('disable-legacy and disable-modern leave nothing: set one to off');
    const left = old === 'on' ? 'modern' : modern === 'on' ? 'legacy' : interfaces;
    return { bus, interfaces: left, slot: slotOf(p) };
  }

  /** A Serial ATA controller. @throws UsageError */
  controller(p: Properties): void {
    const id = p.get('id') ?? `ahci${this.cards.length}`;
    const disks = new Array<QemuDrive | undefined>(AHCI_PORTS).fill(undefined);
    this.cards.push({ kind: 'ahci', id, disks, ...this.place(p, 'pci', 'modern') });
  }

  /** A Serial ATA disk. Its controller may come later. @throws UsageError */
  sataDisk(p: Properties): void {
    this.sata.push({ drive: this.drive(p), bus: p.get('bus'), option: p.option });
  }

  /** Gives Serial ATA disks their ports: `ahci.0` is the first of the controller with the id `ahci`. @throws UsageError */
  placeSata(): void {
    const ports = this.cards.flatMap((c) => (c.kind === 'ahci' ? c.disks.map((_, port) => ({ c, port })) : []));
    for (const { drive, bus, option } of this.sata) {
      const free = ports.find(({ c, port }) => (bus === undefined ? !c.disks[port] : bus === `${c.id}.${port}`));
      if (!free)
        throw new UsageError(
          `qemu: ${option}: there is no bus ${bus === undefined ? 'left' : `'${bus}'`}: add -device ahci,id=ahci, and use bus=ahci.0 to ahci.5`,
        );
      if (free.c.disks[free.port]) throw new UsageError(`qemu: ${option}: two disks are on ${bus}: change one bus=`);
      free.c.disks[free.port] = drive;
    }
  }

  /** The drive of a device. @throws UsageError */
  drive(p: Properties): QemuDrive {
    const id = p.need('drive', 'drive=ID of a -drive');
    const found = this.draft.drives.find((d) => d.id === id);
    if (!found) throw p.error(`there is no drive '${id}': add -drive if=none,id=${id},file=…`);
    if (found.bus === 'pflash') throw p.error(`the drive '${id}' is the flash: give the device a drive with if=none`);
    if (found.bus === 'virtio')
      throw p.error(
        `the drive '${id}' has a device already, because it is not if=none: add if=none, or leave the device out`,
      );
    this.take('drive', id, p.option);
    return found;
  }

  /** The network of a card; undefined: nothing is at its other end. @throws UsageError */
  network(option: string, id: string | undefined): QemuNetwork | undefined {
    if (id === undefined) return undefined;
    const found = this.draft.netdevs.find((n) => n.id === id);
    if (!found) throw new UsageError(`qemu: ${option}: there is no network '${id}': add -netdev user,id=${id}`);
    this.take('network', id, option);
    return found.network;
  }

  /** The file for the packets of a network. @throws UsageError when there are two */
  capture(netdev: string | undefined): string | undefined {
    const dumps = this.draft.objects.filter(
      (p) => netdev !== undefined && p.get('qom-type') === 'filter-dump' && p.get('netdev') === netdev,
    );
    if (dumps.length > 1) throw dumps[1]!.error(`the network '${netdev}' has a dump already: leave one of them out`);
    const [p] = dumps;
    if (!p) return undefined;
    const file = p.need('file', 'file=FILE');
    p.without('id', 'maxlen', 'queue', 'status').done();
    return file;
  }

  /** A folder of -fsdev. @throws UsageError */
  folder(p: Properties): Omit<ShareSpec, 'tag'> {
    const id = p.need('fsdev', 'fsdev=ID of an -fsdev');
    const found = this.draft.folderDevices.get(id);
    if (!found) throw p.error(`there is no folder '${id}': add -fsdev local,id=${id},path=FOLDER`);
    this.take('folder', id, p.option);
    return found;
  }

  /** The character device that is meant; undefined: none. @throws UsageError */
  character(option: string, spec: QemuCharacter): CharacterSpec | undefined {
    if (spec.kind === 'none') return undefined;
    if (spec.kind !== 'chardev') return spec;
    const found = this.draft.chardevs.get(spec.id);
    if (!found)
      throw new UsageError(`qemu: ${option}: there is no chardev '${spec.id}': add -chardev stdio,id=${spec.id}`);
    this.take('chardev', spec.id, option);
    return found;
  }
}

/** `52:54:00:12:34:56`. @throws UsageError */
export function macOf(option: string, text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  const bytes = text.split(/[:-]/).map((b) => (/^[0-9a-f]{1,2}$/i.test(b) ? Number.parseInt(b, 16) : Number.NaN));
  if (bytes.length !== 6 || bytes.some(Number.isNaN) || bytes[0]! & 1)
    throw new UsageError(`qemu: ${option}: '${text}' is no address of a card: write 52:54:00:12:34:56`);
  return bytes;
}

/** QEMU's `addr=`: a slot in hexadecimal, and perhaps function 0 behind a dot. @throws UsageError */
function slotOf(p: Properties): number | undefined {
  const text = p.get('addr');
  if (text === undefined) return undefined;
  const m = /^(?:0x)?([0-9a-f]{1,2})(?:\.(?:0x)?([0-7]))?$/i.exec(text);
  const slot = m ? Number.parseInt(m[1]!, 16) : Number.NaN;
  if (!(slot >= 1 && slot <= 31)) throw p.error(`addr=${text} is no slot of the bus: use 0x1 to 0x1f`);
  if (Number(m![2] ?? 0) !== 0) throw p.error(`addr=${text}: each card has its own slot: use function 0`);
  return slot;
}
