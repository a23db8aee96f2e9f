/** Which entries a TLB instruction works on. */
import type { Tlb } from '../tlb/tlb.ts';
import type { CsrBank } from './csr-bank.ts';

/** The array, the GID, and the CSR bank with the operands. Each CPU has one record for all its TLB instructions. */
export interface TlbTarget {
  tlb: Tlb;
  /** Guest-type entries (GVA→GPA) or host-type ones. */
  guestType: boolean;
  gid: number;
  bank: CsrBank;
}
