/**
 * The page walk: the steps of `lddir` and `ldpte`, and the whole walk from the root to the entry that
 * maps an address (Vol. 1, section 5.4.5; huge entries as Linux builds them). Nothing here has a side effect. The reader of the
 * table entries is a parameter: the machine, or a debugger that changes nothing.
 */
import type { CsrHalves } from '../cpu/csr-bank.ts';
import { allOf, lowestBit, PWCH, PWCL, TLBELO, TLBELO_HI } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { lowBits, shr } from '../tlb/tlb.ts';

/** The bit H: this directory entry maps a huge page. */
export const HUGE = 1 << 6;
/** The G bit of a huge entry. Its usual place, bit 6, is used by H. */
const HGLOBAL = 1 << 12;
/** The field where `lddir` puts the level of a huge entry for `ldpte`. */
const LEVEL = 0x6000;
const LEVEL_AT = lowestBit(LEVEL);
/** Directory levels: Dir4 is the root, and entries of Dir1 point to page tables. */
const DIRECTORIES = 4;

// Where PWCL and PWCH describe each level; level 0 is the page table itself.
const REGISTER = Int32Array.of(CSR.PWCL, CSR.PWCL, CSR.PWCL, CSR.PWCH, CSR.PWCH);
const BASE = Int32Array.of(PWCL.PTbase, PWCL.Dir1_base, PWCL.Dir2_base, PWCH.Dir3_base, PWCH.Dir4_base);
const BASE_AT = BASE.map(lowestBit);
const WIDTH = Int32Array.of(PWCL.PTwidth, PWCL.Dir1_width, PWCL.Dir2_width, PWCH.Dir3_width, PWCH.Dir4_width);
const WIDTH_AT = WIDTH.map(lowestBit);
const PTE_WIDTH_AT = lowestBit(PWCL.PTEWidth);

/** Bits of a table entry that go into the TLB: all except those for software and for the walk, in halves. */
export const ELO_LO = allOf(TLBELO);
export const ELO_HI = allOf(TLBELO_HI);

/** The 48-bit address in a directory entry or a register value. */
export const addressBits = (lo: number, hi: number): number => (hi & 0xffff) * 0x100000000 + (lo >>> 0);

/** Does an entry of a directory, given by its low half, map a huge page? */
export const isHuge = (lo: number): boolean => (lo & HUGE) !== 0;

/** Lowest address bit of the index into a directory of `level` (0 to 4). */
export const levelBase = (csr: CsrHalves, level: number): number =>
  (csr.lo(REGISTER[level]!) & BASE[level]!) >>> BASE_AT[level]!;

/** Bits of the index into a directory of `level`; 0: there is no such level. */
export const levelWidth = (csr: CsrHalves, level: number): number =>
  (csr.lo(REGISTER[level]!) & WIDTH[level]!) >>> WIDTH_AT[level]!;

/** Do PWCL and PWCH describe any table? */
export function hasTables(csr: CsrHalves): boolean {
  for (let level = 0; level <= DIRECTORIES; level++) if (levelWidth(csr, level) > 0) return true;
  return false;
}

/** Bytes of a table entry: PWCL.PTEWidth 0 to 3 stand for 64, 128, 192 and 256 bits (Vol. 1, 7.5.8). */
const entrySize = (csr: CsrHalves): number => 8 * (1 + ((csr.lo(CSR.PWCL) & PWCL.PTEWidth) >>> PTE_WIDTH_AT));

/** Number of the entry at `slot` in its table at `table`. */
export const entryIndex = (csr: CsrHalves, table: number, slot: number): number =>
  Math.floor((slot - (table - lowBits(table, 12))) / entrySize(csr));

/** Physical address of the entry that `address` selects in the directory of `level` at `table`. */
function directorySlot(csr: CsrHalves, table: number, level: number, address: number): number {
  const index = lowBits(shr(address, levelBase(csr, level)), levelWidth(csr, level));
  return lowBits(table - lowBits(table, 12) + index * entrySize(csr), 48);
}

/** Physical address of one of the two entries that `address` selects in the page table at `table`. */
function pageSlot(csr: CsrHalves, table: number, address: number, odd: number): number {
  const index = lowBits(shr(address, levelBase(csr, 0)), levelWidth(csr, 0));
  return lowBits(table - lowBits(table, 12) + (index - lowBits(index, 1) + odd) * entrySize(csr), 48);
}

/** Size, as a power of two, of each half of a huge page that `lddir` has marked with the level `tag` (0: that of the last directory). */
const hugeSize = (csr: CsrHalves, tag: number): number => levelBase(csr, tag) + levelWidth(csr, tag) - 1;

/** The result of `lddir` of `level` for a huge entry. */
const tagged = (lo: number, level: number): number => (lo & LEVEL ? lo : lo | ((level << LEVEL_AT) & LEVEL));

/**
 * Outcome of a step: its result (`slot` < 0), or the table slot that must be read for it. Each CPU has one object, which each
 * step overwrites, so that refills allocate nothing.
 */
export interface WalkStep {
  slot: number;
  lo: number;
  hi: number;
  /** Page size for TLBREHI. */
  ps: number;
}

/** What `lddir rd, rj, level` does with the table address or huge entry in rj. */
export function lddirStep(csr: CsrHalves, step: WalkStep, lo: number, hi: number, level: number): void {
  const huge = (lo & HUGE) !== 0;
  step.slot = huge || level < 1 || level > DIRECTORIES ? -1 : directorySlot(csr, addressBits(lo, hi), level, badv(csr));
  step.lo = huge ? tagged(lo, level) : lo;
  step.hi = hi;
}

/** What `ldpte rj, odd` does: the TLBRELO value of a huge entry, or the slot to read. */
export function ldpteStep(csr: CsrHalves, step: WalkStep, lo: number, hi: number, odd: number): void {
  if (lo & HUGE) {
    step.slot = -1;
    step.ps = hugeSize(csr, (lo & LEVEL) >>> LEVEL_AT);
    hugeHalf(step, lo & ~LEVEL, hi, odd);
  } else {
    step.slot = pageSlot(csr, addressBits(lo, hi), badv(csr), odd);
    step.ps = levelBase(csr, 0);
  }
}

/** Makes the TLBELO value of one half (`odd`: 0, 1) of a huge page, whose halves have 2^`step.ps` bytes. */
function hugeHalf(step: WalkStep, lo: number, hi: number, odd: number): void {
  let even = lo & ~HUGE;
  if (even & HGLOBAL) even = (even & ~HGLOBAL) | TLBELO.G;
  const sum = (even >>> 0) + (odd ? 2 ** step.ps : 0);
  step.lo = sum | 0;
  step.hi = hi + Math.floor(sum / 0x100000000);
}

/** The address for which a refill handler works. */
const badv = (csr: CsrHalves): number => addressBits(csr.lo(CSR.TLBRBADV), csr.hi(CSR.TLBRBADV));

/** The reader of table entries in a walk. */
export interface TableReader {
  /** The entry that was read, 64 bits in halves. */
  lo: number;
  hi: number;
  /**
   * Reads the entry at `slot` of the table of `level` at `table`. Both are addresses in the space of the tables.
   * @returns false to end the walk
   */
  read(table: number, slot: number, level: number): boolean;
}

/** The mapping that a walk has found: the outcome of the last step, and the table entry. */
export class Leaf implements WalkStep {
  /** Address of the entry. */
  slot = 0;
  /** The TLBELO value of the half of the pair with the address, and the size of the half. */
  lo = 0;
  hi = 0;
  ps = 0;
  /** The entry as it was read (without the level that `lddir` notes in it), and its level: above 0 it is a huge page. */
  entryLo = 0;
  entryHi = 0;
  level = 0;
  /** Which half of its pair the address is in: 0 even, 1 odd. */
  odd = 0;
  /** The table that the entry is in. */
  table = 0;
}

/**
 * Walks from `root` to the entry that maps `address`: an `lddir` for each directory that PWCL and PWCH describe, then `ldpte`;
 * or, `byHardware`, the page walk by hardware, which takes the size of a huge page from the level of its directory.
 * @returns false when the reader has ended the walk; else `leaf` is filled
 */
export function walkTables(
  csr: CsrHalves,
  root: number,
  address: number,
  byHardware: boolean,
  reader: TableReader,
  leaf: Leaf,
): boolean {
  let table = root;
  leaf.level = 0;
  for (let level = DIRECTORIES; level >= 1; level--) {
    if (levelWidth(csr, level) === 0) continue;
    if (leaf.level > 0) {
      // A huge page was found at a higher level. The other levels only pass it on.
      leaf.lo = tagged(leaf.lo, level);
      continue;
    }
    leaf.table = table;
    leaf.slot = directorySlot(csr, table, level, address);
    if (!reader.read(table, leaf.slot, level)) return false;
    table = addressBits(reader.lo, reader.hi);
    if (!(reader.lo & HUGE)) continue;
    leaf.level = level;
    leaf.lo = reader.lo;
    leaf.ps = levelBase(csr, level) - 1;
    if (byHardware) break;
  }
  if (leaf.level > 0) {
    leaf.entryLo = byHardware ? reader.lo : reader.lo & ~LEVEL;
    leaf.entryHi = reader.hi;
    if (!byHardware) leaf.ps = hugeSize(csr, (leaf.lo & LEVEL) >>> LEVEL_AT);
    leaf.odd = half(address, leaf.ps);
    setHalf(leaf, leaf.odd);
    return true;
  }
  leaf.table = table;
  leaf.ps = levelBase(csr, 0);
  leaf.odd = half(address, leaf.ps);
  leaf.slot = pageSlot(csr, table, address, leaf.odd);
  if (!reader.read(table, leaf.slot, 0)) return false;
  leaf.entryLo = reader.lo;
  leaf.entryHi = reader.hi;
  setHalf(leaf, leaf.odd);
  return true;
}

/** Which page of its pair an address is in, for pages of 2^ps bytes. */
const half = (address: number, ps: number): number => (ps >= 0 && ps < 64 ? lowBits(shr(address, ps), 1) : 0);

/** Address of the other entry of the pair that a leaf of level 0 is in. */
export const otherSlot = (csr: CsrHalves, leaf: Leaf): number => leaf.slot + entrySize(csr) * (leaf.odd ? -1 : 1);

/** Sets the TLBELO value of a leaf to that of the half `odd` (0, 1) of its page, from the entry. */
export function setHalf(leaf: Leaf, odd: number): void {
  if (leaf.level > 0) hugeHalf(leaf, leaf.entryLo, leaf.entryHi, odd);
  else {
    leaf.lo = leaf.entryLo;
    leaf.hi = leaf.entryHi;
  }
}
