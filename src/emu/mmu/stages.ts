/**
 * The two stages of address translation as the architecture defines them: direct address mode, direct mapping windows, TLB;
 * and stage 2 behind it in guest mode (Vol. 1, chapter 5; docs/lvz.md, "Address translation"). Nothing here has a side
 * effect: running code (translate.ts) and the debugger (debug/walk.ts) both use it.
 */
import { isMapped } from '../cpu/address-mode.ts';
import type { CsrHalves } from '../cpu/csr-bank.ts';
import { ASID, CRMD, DMW, DMW_HI, lowestBit, MISC, RVACFG, STLBPS, TLBELO, TLBELO_HI } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { ExceptionName } from '../cpu/exception-table.ts';
import type { TranslationStage } from '../cpu/translation-stage.ts';
import { lowBits, POWER, shr, type Tlb } from '../tlb/tlb.ts';

// Fields as constants of this module, because each TLB miss reads them.
const { V, D, PLV: PAGE_PLV, PPN } = TLBELO;
const { NR, NX, RPLV, PPN: PPN_HI } = TLBELO_HI;
const PAGE_PLV_AT = lowestBit(PAGE_PLV);
const { PLV } = CRMD;
const { PLV0 } = DMW;
const { VSEG } = DMW_HI;
const { DWPL0 } = MISC;
const { RBits: R_BITS } = RVACFG;
/** The largest legal value of RVACFG.RBits. */
const MOST_REDUCED = 8;
/** Direct mapping windows, and how many of them serve fetches: the others are for loads and stores only (Vol. 1, 5.2.1). */
const WINDOWS = 4;
const FETCH_WINDOWS = 2;
const ASID_VALUE = ASID.ASID;
const STLB_PS = STLBPS.PS;

export const LOAD = 0;
export const STORE = 1;
export const FETCH = 2;
/** A read by a debugger: it follows every valid entry, and ignores the permissions of the page. */
export const LOOK = 3;
/** The same at an address that a program would fetch from. */
export const LOOK_AT_CODE = 4;
export type AccessType = typeof LOAD | typeof STORE | typeof FETCH | typeof LOOK | typeof LOOK_AT_CODE;

/** The exception for an access to an invalid page, by access type. */
export const INVALID: readonly ExceptionName[] = ['PIL', 'PIS', 'PIF', 'PIL', 'PIF'];

/** The exception of a failed translation, and whether it goes to the host (stage 2). */
export type Fault = { readonly exception: ExceptionName; readonly root: boolean };
/** Exceptions as values, built once so that the slow path does not allocate for the common ones. */
const FAULTS = [new Map<ExceptionName, Fault>(), new Map<ExceptionName, Fault>()] as const;
export function fault(exception: ExceptionName, root: boolean): Fault {
  const known = FAULTS[root ? 1 : 0];
  let f = known.get(exception);
  if (!f) known.set(exception, (f = { exception, root }));
  return f;
}

/** The steps of a stage, for callers that describe them. */
export interface StageReport {
  /** Direct address mode. */
  direct(): void;
  /** Direct mapping window `n` is open to the address. */
  window(n: number): void;
  /** No window, and the address is outside the implemented range. */
  notCanonical(): void;
  /** No TLB entry matches. */
  miss(): void;
  /** Entry `i` of the TLB matches; `odd`: 0 or 1, its half. */
  entry(tlb: Tlb, i: number, odd: number): void;
}

/** Physical address from a TLBELO word pair and the page offset. */
export function pageAddress(eloLo: number, eloHi: number, ps: number, vaLo: number, vaHi: number): number {
  const ppn = (eloHi & PPN_HI) * 0x100000000 + ((eloLo & PPN) >>> 0);
  const va = (vaHi & 0xffff) * 0x100000000 + (vaLo >>> 0);
  return shr(ppn, ps) * POWER[ps]! + lowBits(va, ps);
}

/** The stage-1 exception of an access from `plv` to a page with this TLBELO value; undefined: the access is allowed. */
export function refusal(
  csr: CsrHalves,
  eloLo: number,
  eloHi: number,
  plv: number,
  access: AccessType,
): ExceptionName | undefined {
  if (!(eloLo & V)) return INVALID[access]!;
  if (access >= LOOK) return undefined;
  // The order is that of the manual's pseudo-code (Vol. 1, 5.4.4).
  if (access === FETCH && eloHi & NX) return 'PNX';
  const pagePlv = (eloLo & PAGE_PLV) >>> PAGE_PLV_AT;
  if (eloHi & RPLV ? plv !== pagePlv : plv > pagePlv) return 'PPI';
  if (access === LOAD && eloHi & NR) return 'PNR';
  // MISC.DWPLn disables the write check for PLV n.
  if (access === STORE && !(eloLo & D) && !(csr.lo(CSR.MISC) & (DWPL0 << plv) && plv < 3)) return 'PME';
  return undefined;
}

/** The same in stage 2, where ASID, G and PLV of the entry are ignored (docs/lvz.md Q3). */
export function refusal2(eloLo: number, eloHi: number, access: AccessType): ExceptionName | undefined {
  if (!(eloLo & V)) return INVALID[access]!;
  if (access === FETCH && eloHi & NX) return 'PNX';
  if (access === LOAD && eloHi & NR) return 'PNR';
  if (access === STORE && !(eloLo & D)) return 'PME';
  return undefined;
}

/** Stage 1 of a world, or the only stage of the host: VA → PA (GPA). The address is as {@link addressHigh} makes it. */
export function stage1(
  { csr, tlb, gid }: TranslationStage,
  vaLo: number,
  vaHi: number,
  access: AccessType,
  report?: StageReport,
): number | Fault {
  const crmd = csr.lo(CSR.CRMD);
  const flat = (vaHi & 0xffff) * 0x100000000 + (vaLo >>> 0);
  if (!isMapped(crmd)) {
    report?.direct();
    return flat;
  }
  const plv = crmd & PLV;
  const windows = access === FETCH || access === LOOK_AT_CODE ? FETCH_WINDOWS : WINDOWS;
  for (let i = 0; i < windows; i++) {
    if ((csr.hi(CSR.DMW0 + i) ^ vaHi) & VSEG || !(csr.lo(CSR.DMW0 + i) & (PLV0 << plv))) continue;
    report?.window(i);
    return flat;
  }
  // In virtual address reduction mode more of the upper bits must be equal (Vol. 1, 5.2.3).
  const top = vaHi >> (15 - Math.min(csr.lo(CSR.RVACFG) & R_BITS, MOST_REDUCED));
  if (top !== 0 && top !== -1) {
    report?.notCanonical();
    return fault(access === FETCH || access === LOOK_AT_CODE ? 'ADEF' : 'ADEM', false);
  }
  const vpn = (vaHi & 0xffff) * 0x100000 + (vaLo >>> 12);
  const i = tlb.find(shr(vpn, 1), gid, csr.lo(CSR.ASID) & ASID_VALUE, csr.lo(CSR.STLBPS) & STLB_PS);
  if (i < 0) {
    report?.miss();
    return fault('TLBR', false);
  }
  const odd = tlb.half(i, vpn);
  report?.entry(tlb, i, odd);
  const lo = tlb.eloLo[2 * i + odd]!;
  const hi = tlb.eloHi[2 * i + odd]!;
  const refused = refusal(csr, lo, hi, plv, access);
  return refused ? fault(refused, false) : pageAddress(lo, hi, tlb.ps[i]!, vaLo, vaHi);
}

/** Does an access to data at this address raise ADEM, whatever the TLB holds? */
export function isAddressError(stage: TranslationStage, vaLo: number, vaHi: number): boolean {
  const pa = stage1(stage, vaLo, vaHi, LOAD);
  return typeof pa !== 'number' && pa.exception === 'ADEM';
}

/** Stage 2, always (docs/lvz.md Q27): GPA → HPA of a guest. */
export function stage2(
  { csr, tlb, gid }: TranslationStage,
  gpa: number,
  access: AccessType,
  report?: StageReport,
): number | Fault {
  const vpn = shr(gpa, 12);
  const i = tlb.find(shr(vpn, 1), gid, -1, csr.lo(CSR.STLBPS) & STLB_PS);
  if (i < 0) {
    report?.miss();
    return fault('TLBR', true);
  }
  const odd = tlb.half(i, vpn);
  report?.entry(tlb, i, odd);
  const lo = tlb.eloLo[2 * i + odd]!;
  const hi = tlb.eloHi[2 * i + odd]!;
  const refused = refusal2(lo, hi, access);
  return refused ? fault(refused, true) : pageAddress(lo, hi, tlb.ps[i]!, gpa | 0, Math.floor(gpa / 0x100000000));
}
