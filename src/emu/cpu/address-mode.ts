/** What CRMD and MISC say about addresses: whether they are mapped, and how many bits they have (Vol. 1, sections 5.2 and 5.2.2). */
import type { CsrHalves } from './csr-bank.ts';
import { CRMD, MISC } from './csr-fields.ts';
import { CSR } from './csr-table.ts';

const { PLV, DA, PG } = CRMD;
/** MISC.VA32Ln is this bit, shifted left by n. PLV 0 has none. */
export const VA32_OF_PLV0 = MISC.VA32L1 >> 1;

/** Are virtual addresses mapped, by windows and pages? With DA and PG alike it is undefined; here they are direct (docs/isa-notes.md). */
export const isMapped = (crmd: number): boolean => (crmd & (DA | PG)) === PG;

/** Does the world with these registers run in 32-bit address mode, at the PLV that it has? */
const shortAddresses = (csr: CsrHalves): boolean =>
  (csr.lo(CSR.MISC) & (VA32_OF_PLV0 << (csr.lo(CSR.CRMD) & PLV))) !== 0;

/** The high half of a virtual address that software uses: 0 in 32-bit address mode, which extends addresses with zeros. */
export const addressHigh = (csr: CsrHalves, vaHi: number): number => (shortAddresses(csr) ? 0 : vaHi);

/**
 * The high half of PC. In 32-bit address mode it is that of a number with a sign, so that the results of `bl`, `jirl` and
 * `pcadd*` are extended as the manual wants. {@link addressHigh} says where the instruction is.
 */
export const pcHigh = (csr: CsrHalves, pcLo: number, pcHi: number): number => (shortAddresses(csr) ? pcLo >> 31 : pcHi);
