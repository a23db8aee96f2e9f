/** What is in the slots of a machine, and in which slot. */
import { Ahci, type AhciDrive } from '../devices/ahci/ahci.ts';
import { AHCI_REGISTERS } from '../devices/ahci/registers.ts';
import type { Worker } from '../devices/device.ts';
import { PCI_HEADER, type PciFunction } from '../devices/pci/function.ts';
import type { RegisterTable } from '../devices/register-table.ts';
import type { VirtioKind } from '../devices/virtio/device.ts';
import { VIRTIO_PCI_REGISTERS, type VirtioInterfaces, VirtioPci } from '../devices/virtio/pci.ts';
import type { VirtioSurroundings } from '../devices/virtio/transport.ts';
import { PLATFORM } from '../memory/physical-map.ts';

/** The registers of PCI functions and of the cards, for docs/board.md. */
export const CARD_TABLES: readonly RegisterTable[] = [PCI_HEADER, ...VIRTIO_PCI_REGISTERS, ...AHCI_REGISTERS];

/** The transport of virtio devices. */
export type VirtioBus = 'pci' | 'mmio';

interface InSlot {
  /** Number of the PCI slot; default: the first that is free. */
  readonly slot?: number | undefined;
}
export interface VirtioCard extends InSlot {
  readonly virtio: VirtioKind;
  /** Default: transitional. */
  readonly interfaces?: VirtioInterfaces | undefined;
}
/** A controller for Serial ATA disks, by port. */
export interface AhciCard extends InSlot {
  readonly ahci: readonly (AhciDrive | undefined)[];
}
/** A virtio device alone is a card with the defaults. */
export type Card = VirtioKind | VirtioCard | AhciCard;

const isAhci = (card: Card): card is AhciCard => 'ahci' in card;
const virtioCard = (card: VirtioKind | VirtioCard): VirtioCard => ('virtio' in card ? card : { virtio: card });

/** The virtio device of a card. */
export const virtioOf = (card: Card): VirtioKind | undefined => (isAhci(card) ? undefined : virtioCard(card).virtio);

/** A card in words, the same for cards whose states fit each other. */
export function cardName(card: Card): string {
  const at = 'slot' in card && card.slot !== undefined ? `@${card.slot}` : '';
  if (isAhci(card)) return `ahci${card.ahci.map((d) => (d ? '+' : '-')).join('')}${at}`;
  const { virtio, interfaces = 'transitional' } = virtioCard(card);
  return `${virtio.name}${interfaces === 'transitional' ? '' : `, ${interfaces}`}${at}`;
}

/** Where the cards of a machine are. */
export interface Placement {
  /** virtio devices that are memory-mapped. */
  readonly mmio: readonly VirtioKind[];
  readonly slots: readonly { readonly slot: number; readonly card: Card }[];
}

/** The host bridge is in the first slot. */
const BRIDGE = 0;

/**
 * Gives each card its place, in their order, as QEMU does.
 * @param on with `mmio` the first virtio devices are memory-mapped, as many as the board has places for
 * @throws Error when two cards want one slot
 */
export function placeCards(cards: readonly Card[] = [], on: VirtioBus = 'pci'): Placement {
  const mmio: VirtioKind[] = [];
  const taken = new Set([BRIDGE]);
  const slots: { slot: number; card: Card }[] = [];
  for (const card of cards) {
    const virtio = virtioOf(card);
    if (virtio && on === 'mmio' && mmio.length < PLATFORM.virtioMmio.most) {
      mmio.push(virtio);
      continue;
    }
    let slot = 'slot' in card ? card.slot : undefined;
    if (slot === undefined) for (slot = 0; taken.has(slot); ) slot++;
    if (taken.has(slot)) throw new Error(`PCI: slot ${slot} is taken`);
    taken.add(slot);
    slots.push({ slot, card });
  }
  return { mmio, slots };
}

/** The function of a card. */
export function functionOf(card: Card, surroundings: VirtioSurroundings): PciFunction & Worker {
  if (isAhci(card)) return new Ahci(card.ahci, surroundings);
  const { virtio, interfaces } = virtioCard(card);
  return new VirtioPci(virtio, surroundings, interfaces);
}
