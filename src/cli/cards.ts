/** Cards for the PCI slots, as options ask for them. */
import type { VirtioInterfaces } from '../emu/devices/virtio/pci.ts';
import type { DriveSpec } from './drives.ts';
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
