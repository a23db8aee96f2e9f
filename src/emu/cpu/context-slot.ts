/** Index into STATE.contextSets, which keeps the translation context for each world, paging mode and PLV. */
import { CRMD } from './csr-fields.ts';

/** The parts of a slot number: bits of CRMD, shifted right, and a bit for a guest. */
export const CONTEXT_SLOT = {
  parts: [
    { mask: CRMD.PLV, right: 0 },
    { mask: CRMD.DA | CRMD.PG, right: 1 },
  ],
  guest: 16,
} as const;
/** Number of slots. */
export const CONTEXT_SLOTS = 32;

/** The slot for a CRMD value in the host or in a guest. Emitted code computes the same (entry-return.ts). */
export function contextSlot(crmd: number, guest: boolean): number {
  let slot = guest ? CONTEXT_SLOT.guest : 0;
  for (const { mask, right } of CONTEXT_SLOT.parts) slot |= (crmd & mask) >> right;
  return slot;
}
