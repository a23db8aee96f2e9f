/** `lddir` and `ldpte`: the software page walk (Vol. 1, section 5.4.5; huge entries as Linux builds them). */
import type { CsrBank } from '../cpu/csr-bank.ts';
import { CSR } from '../cpu/csr-table.ts';
import { shr } from './tlb.ts';

const HUGE = 1 << 6;
const HGLOBAL = 1 << 12;

/** Position and width of a directory level's index in the address; level 0 is the page table itself. */
export function levelGeometry(bank: CsrBank, level: number): { base: number; width: number } {
  const pwcl = bank.lo(CSR.PWCL);
  const pwch = bank.lo(CSR.PWCH);
  switch (level) {
    case 1:
      return { base: (pwcl >> 10) & 0x1f, width: (pwcl >> 15) & 0x1f };
    case 2:
      return { base: (pwcl >> 20) & 0x1f, width: (pwcl >> 25) & 0x1f };
    case 3:
      return { base: pwch & 0x3f, width: (pwch >> 6) & 0x3f };
    case 4:
      return { base: (pwch >> 12) & 0x3f, width: (pwch >> 18) & 0x3f };
    default:
      return { base: pwcl & 0x1f, width: (pwcl >> 5) & 0x1f };
  }
}

/** log2 of the size of a table entry (PWCL.PTEWidth: 0 is 8 bytes). */
const entryShift = (bank: CsrBank): number => 3 + ((bank.lo(CSR.PWCL) >>> 30) & 3);

/** Physical address of the slot that `address` selects at `level` in the table at `table`. */
export function slotAddress(bank: CsrBank, table: number, level: number, address: number, even = false): number {
  const { base, width } = levelGeometry(bank, level);
  let index = shr(address, base) % 2 ** width;
  if (even) index -= index % 2;
  return table - (table % 4096) + index * 2 ** entryShift(bank);
}

/** The 48-bit address in a directory entry or a register value. */
export const addressBits = (lo: number, hi: number): number => (hi & 0xffff) * 0x100000000 + (lo >>> 0);

/**
 * Outcome of a walk instruction's first half: its result (`slot` < 0), or the table slot that must be read for it.
 * One object a CPU, written anew by each step: refills allocate nothing.
 */
export interface WalkStep {
  slot: number;
  lo: number;
  hi: number;
  /** Page size for TLBREHI. */
  ps: number;
}

function result(step: WalkStep, lo: number, hi: number): void {
  step.slot = -1;
  step.lo = lo;
  step.hi = hi;
}

/** What `lddir rd, rj, level` does with the table address or huge entry in rj. */
export function lddirStep(bank: CsrBank, step: WalkStep, lo: number, hi: number, level: number): void {
  if (lo & HUGE) result(step, lo & 0x6000 ? lo : lo | ((level & 3) << 13), hi);
  else if (level < 1 || level > 4) result(step, lo, hi);
  else step.slot = slotAddress(bank, addressBits(lo, hi), level, badv(bank));
}

/** What `ldpte rj, odd` does: the TLBRELO value of a huge entry, or the slot to read. */
export function ldpteStep(bank: CsrBank, step: WalkStep, lo: number, hi: number, odd: number): void {
  const ptbase = bank.lo(CSR.PWCL) & 0x1f;
  step.ps = ptbase;
  if (!(lo & HUGE)) {
    step.slot = slotAddress(bank, addressBits(lo, hi), 0, badv(bank), true) + (odd ? 2 ** entryShift(bank) : 0);
    return;
  }
  const { base, width } = levelGeometry(bank, (lo >> 13) & 3);
  // The entry maps a pair: each half is half of what the directory entry covers.
  const ps = base + width - 1;
  step.ps = ps;
  let elo = lo & ~(HUGE | 0x6000);
  if (elo & HGLOBAL) elo = (elo & ~HGLOBAL) | (1 << 6);
  const sum = (elo >>> 0) + (odd ? 2 ** ps : 0);
  result(step, sum | 0, hi + Math.floor(sum / 0x100000000));
}

/** The address a refill handler works on. */
export const badv = (bank: CsrBank): number => addressBits(bank.lo(CSR.TLBRBADV), bank.hi(CSR.TLBRBADV));
