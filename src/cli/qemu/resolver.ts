/** Finds what -device options refer to, when all options have been read: drives, networks, folders, character devices. */
import type { VirtioBus } from '../../emu/board/board.ts';
import type { CharacterSpec } from '../character.ts';
import { UsageError } from '../errors.ts';
import type { PlacedFile } from '../options.ts';
import type { ShareSpec } from '../share.ts';
import type { Draft, QemuCharacter, QemuDrive, QemuNetwork } from './draft.ts';
import type { Properties } from './properties.ts';

/** How a virtio device is connected. */
export interface VirtioPlace {
  readonly bus: VirtioBus;
  /** On PCI: does it also have the identity and registers from before virtio 1.0? */
  readonly legacy: boolean;
}

export interface ResolvedDisk {
  readonly drive: QemuDrive;
  readonly place: VirtioPlace;
}

export interface ResolvedCard {
  readonly network: QemuNetwork | undefined;
  readonly mac: readonly number[] | undefined;
  readonly place: VirtioPlace;
}

/** A value that is written to RAM, or a file, and the CPU that starts there. */
export interface ResolvedLoad extends PlacedFile {
  readonly cpu: number | undefined;
}

/** Buses that devices may name, as QEMU calls them. */
const BUSES: Readonly<Record<VirtioBus, RegExp>> = {
  pci: /^pcie\.0$/,
  mmio: /^virtio-mmio-bus\.\d+$/,
};
const BUS_NAMES = { pci: 'pcie.0', mmio: 'virtio-mmio-bus.0' } as const;

export class Resolver {
  readonly draft: Draft;
  readonly disks: ResolvedDisk[] = [];
  readonly cards: ResolvedCard[] = [];
  readonly shares: ShareSpec[] = [];
  readonly loads: ResolvedLoad[] = [];
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
  place(p: Properties, bus: VirtioBus, legacy: boolean): VirtioPlace {
    const name = p.get('bus');
    if (name !== undefined && !BUSES[bus].test(name))
      throw p.error(`there is no bus '${name}' for it: use bus=${BUS_NAMES[bus]}, or leave it out`);
    if (bus === 'pci' && p.get('addr') !== undefined)
      throw p.error('addr=: devices get the slots in their order: leave it out');
    return { bus, legacy: legacy && !p.flag('disable-legacy') };
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
