/** Where what was found for a mode of running code is kept (STATE.contextSets): by world, paging mode and PLV. */
import { CRMD } from './csr-fields.ts';

/** The parts of a slot's number: bits of CRMD, shifted right, and what a guest adds. */
export const CONTEXT_SLOT = {
  parts: [
    { mask: CRMD.PLV, right: 0 },
    { mask: CRMD.DA | CRMD.PG, right: 1 },
  ],
  guest: 16,
} as const;
/** How many slots there are. */
export const CONTEXT_SLOTS = 32;

/** The slot of a CRMD value in the host or in a guest. Emitted code computes the same (entry-return.ts). */
export function contextSlot(crmd: number, guest: boolean): number {
  let slot = guest ? CONTEXT_SLOT.guest : 0;
  for (const { mask, right } of CONTEXT_SLOT.parts) slot |= (crmd & mask) >> right;
  return slot;
}
