/** Cards for the PCI slots, as options ask for them. */
import { PORTS as AHCI_PORTS } from '../emu/devices/ahci/registers.ts';
import type { VirtioInterfaces } from '../emu/devices/virtio/pci.ts';
import type { DriveSpec } from './drives.ts';
import { UsageError } from './errors.ts';
import type { NetSpec } from './net/spec.ts';
import type { ShareSpec } from './share.ts';

/** A card that an option asks for. */
export type CardSpec = (
  | { readonly kind: 'block'; readonly drive: DriveSpec }
  | { readonly kind: 'net'; readonly net: NetSpec; readonly mac?: readonly number[] | undefined }
  | { readonly kind: 'entropy' }
  | { readonly kind: 'console' }
  | { readonly kind: 'share'; readonly share: ShareSpec }
  /** A Serial ATA controller with disks by port. */
  | { readonly kind: 'ahci'; readonly disks: readonly (DriveSpec | undefined)[] }
) & {
  /** Number of the slot, 1 to 31; default: the first that is free. */
  readonly slot?: number | undefined;
  /** Of a virtio card; default: transitional. */
  readonly interfaces?: VirtioInterfaces | undefined;
};

/** The names of virtio devices, without `-pci` and what follows it. */
const VIRTIO_NAMES = {
  'virtio-blk': 'block',
  'virtio-net': 'net',
  'virtio-rng': 'entropy',
  'virtio-serial': 'console',
  'virtio-9p': 'share',
} as const;
type VirtioCardKind = (typeof VIRTIO_NAMES)[keyof typeof VIRTIO_NAMES];

/** A virtio device by QEMU's name: `virtio-blk`, `virtio-blk-pci`, `virtio-blk-pci-non-transitional` and so on; undefined for other names. */
export function virtioByName(name: string): { readonly kind: VirtioCardKind; readonly form: string } | undefined {
  const m = /^(virtio-[a-z0-9]+)(?:-pci(?:-(transitional|non-transitional))?)?$/.exec(name);
  const kind = m && VIRTIO_NAMES[m[1] as keyof typeof VIRTIO_NAMES];
  return kind ? { kind, form: m[2] ?? '' } : undefined;
}

/**
 * The interfaces of a virtio device of QEMU's by its name and its properties `disable-legacy` and `disable-modern`.
 * @throws UsageError when the values are wrong, or none is left
 */
export function interfacesOf(
  name: string,
  disableLegacy: string | undefined,
  disableModern: string | undefined,
): VirtioInterfaces {
  const wrong = (text: string): UsageError => new UsageError(`qemu: -device ${name}: ${text}`);
  const form = virtioByName(name)?.form ?? '';
  if (form !== '') {
    if (disableLegacy !== undefined || disableModern !== undefined)
      throw wrong(`its name says which interfaces it has: leave disable-legacy and disable-modern out`);
    return form === 'transitional' ? 'transitional' : 'modern';
  }
  if (disableLegacy !== undefined && !['on', 'off', 'auto'].includes(disableLegacy))
    throw wrong(`disable-legacy=${disableLegacy}: use on, off or auto`);
  if (disableModern !== undefined && !['on', 'off'].includes(disableModern))
    throw wrong(`disable-modern=${disableModern}: use on or off`);
  const modern = disableModern !== 'on';
  if (disableLegacy === 'on' && !modern)
    throw wrong('no interface is left: set disable-modern or disable-legacy to off');
  return disableLegacy === 'on' ? 'modern' : modern ? 'transitional' : 'legacy';
}

/**
 * The slot of QEMU's property `addr`: a number in hexadecimal, with or without a function behind a dot.
 * @throws UsageError when it is none, or the function is not 0
 */
export function slotOf(name: string, addr: string | undefined): number | undefined {
  if (addr === undefined) return undefined;
  const m = /^(?:0x)?([0-9a-f]{1,2})(?:\.(?:0x)?([0-7]))?$/i.exec(addr);
  const slot = m ? Number.parseInt(m[1]!, 16) : Number.NaN;
  if (!m || slot < 1 || slot > 31)
    throw new UsageError(`qemu: -device ${name}: addr=${addr} is no free slot of the bus: use 0x1 to 0x1f`);
  if (Number(m[2] ?? 0) !== 0)
    throw new UsageError(`qemu: -device ${name}: addr=${addr}: each card has its own slot: use function 0`);
  return slot;
}

/**
 * Gives Serial ATA disks their ports. The buses of controller `ahci` are `ahci.0` to `ahci.5`. A disk that names no bus gets the first that is
 * free.
 * @param controllers their names, in the order of the options
 * @returns disks by port, for each controller
 * @throws UsageError when a bus is not there, or is taken
 */
export function placeSata<T>(
  controllers: readonly string[],
  disks: readonly { readonly bus: string | undefined; readonly disk: T }[],
): ReadonlyMap<string, readonly (T | undefined)[]> {
  const twice = controllers.find((name, n) => controllers.indexOf(name) !== n);
  if (twice !== undefined)
    throw new UsageError(`qemu: -device ahci: two controllers have the name '${twice}': give each its id=`);
  const places = new Map(controllers.map((name) => [name, new Array<T | undefined>(AHCI_PORTS).fill(undefined)]));
  const buses = controllers.flatMap((name) => Array.from({ length: AHCI_PORTS }, (_, port) => ({ name, port })));
  const taken = new Set<string>();
  for (const { bus, disk } of disks) {
    const place = buses.find(({ name, port }) =>
      bus === undefined ? !taken.has(`${name}.${port}`) : bus === `${name}.${port}`,
    );
    if (!place)
      throw new UsageError(
        `qemu: -device ide-hd: there is no bus ${bus === undefined ? 'left' : `'${bus}'`}: add -device ahci,id=ahci, and use bus=ahci.0 to ahci.5`,
      );
    const name = `${place.name}.${place.port}`;
    if (taken.has(name)) throw new UsageError(`qemu: -device ide-hd: two disks are on bus ${name}: change one bus=`);
    taken.add(name);
    places.get(place.name)![place.port] = disk;
  }
  return places;
}
