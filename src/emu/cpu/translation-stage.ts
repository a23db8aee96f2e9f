/** What a stage of address translation is governed by (Vol. 1, section 5.2; docs/lvz.md, "Address translation"). */
import type { Tlb } from '../tlb/tlb.ts';
import type { CsrHalves } from './csr-bank.ts';

export interface TranslationStage {
  /** The registers that describe it: stage 1 those of its world, stage 2 those of the host. */
  readonly csr: CsrHalves;
  /** The TLB with its entries: guest-type entries of a guest's stage 1, else host-type entries. */
  readonly tlb: Tlb;
  /** The GID of its entries. */
  readonly gid: number;
}

/** A stage of the guest that runs on a CPU, whatever its GID is at the moment. */
export const guestStage = (cpu: { readonly gid: number }, csr: CsrHalves, tlb: Tlb): TranslationStage => ({
  csr,
  tlb,
  get gid() {
    return cpu.gid;
  },
});
