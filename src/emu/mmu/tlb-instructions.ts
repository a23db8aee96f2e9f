/**
 * TLB maintenance: tlbsrch, tlbrd, tlbwr, tlbfill, tlbclr, tlbflush, invtlb for both worlds, and the gtlb* forms
 * with which root works on guest-type entries (Vol. 1, section 4.2.4; docs/lvz.md, "TLB instructions").
 */
import type { Cpu } from '../cpu/cpu.ts';
import { type CsrBank, signOfVa } from '../cpu/csr-bank.ts';
import {
  ASID,
  GTLBC,
  inField,
  lowestBit,
  STLBPS,
  TLBEHI,
  TLBEHI_HI,
  TLBELO,
  TLBIDX,
  TLBREHI,
  TLBRERA,
  TLBRPRMD,
  TRGP,
} from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { deliver } from '../cpu/exceptions.ts';
import { After, type AfterValue } from '../cpu/helpers.ts';
import type { TlbTarget } from '../cpu/tlb-target.ts';
import { CHUNKS } from '../memory/layout.ts';
import { EVERY } from '../tlb/fast-tlb.ts';
import { legalSize, MTLB_SIZE, POWER, STLB_SETS, STLB_SIZE, STLB_WAYS, shr, TLB_SIZE, Tlb } from '../tlb/tlb.ts';
import { pageAddress } from './stages.ts';

// Fields as constants of this module, because each refill reads them.
const { USETGID, TGID } = GTLBC;
const TGID_AT = lowestBit(TGID);
const { Index: INDEX, PS, NE } = TLBIDX;
const PS_AT = lowestBit(PS);
const REFILL_PS = TLBREHI.PS;
const STLB_PS = STLBPS.PS;
const ASID_VALUE = ASID.ASID;
const { IsTLBR: IS_TLBR } = TLBRERA;
const { PGM } = TLBRPRMD;
const VPPN_HI = TLBEHI_HI.VPPN;
/** Lowest bit of the page pair number in an entry-high register. */
const VPPN_AT = lowestBit(TLBEHI.VPPN);

const tgid = (cpu: Cpu): number => (cpu.host.lo(CSR.GTLBC) & TGID) >>> TGID_AT;
const usesTgid = (cpu: Cpu): boolean => (cpu.host.lo(CSR.GTLBC) & USETGID) !== 0;

/** Guest-type entries of a guest. */
function guestEntries(cpu: Cpu, gid: number): TlbTarget {
  const t = cpu.tlbTarget;
  t.tlb = cpu.gtlb;
  t.guestType = true;
  t.gid = gid;
  t.bank = cpu.guest;
  return t;
}

/** Host-type entries: the host's own (GID 0), or stage 2 of a guest. */
function hostEntries(cpu: Cpu, gid: number): TlbTarget {
  const t = cpu.tlbTarget;
  t.tlb = cpu.htlb;
  t.guestType = false;
  t.gid = gid;
  t.bank = cpu.host;
  return t;
}

/** The entries that `tlb*` works on in the running world. */
export function ownTarget(cpu: Cpu): TlbTarget {
  if (cpu.vm) return guestEntries(cpu, cpu.gid);
  const refill = cpu.host.lo(CSR.TLBRERA) & IS_TLBR;
  const forGuest = refill && cpu.host.lo(CSR.TLBRPRMD) & PGM;
  const forgiven = refill && !forGuest && cpu.features['quirk-host-refill-gid'];
  if (usesTgid(cpu) && !forgiven) return hostEntries(cpu, tgid(cpu));
  // docs/lvz.md Q2: without USETGID a refill on behalf of a guest still belongs to that guest.
  return hostEntries(cpu, forGuest ? cpu.gid : 0);
}

/** The entries that `gtlb*` works on. */
export function guestTarget(cpu: Cpu): TlbTarget {
  return guestEntries(cpu, usesTgid(cpu) ? tgid(cpu) : cpu.gid);
}

/** Drops the translations that running code may have derived from entry `i`. */
function forget(cpu: Cpu, t: Tlb, i: number): void {
  const gid = t.gid[i]!;
  const space = t.g[i] ? EVERY : t.asid[i]!;
  if (t === cpu.gtlb) cpu.fast.clearPages(gid, space, t.vppn[i]!, t.ps[i]!);
  else if (gid === 0) cpu.fast.clearPages(-1, space, t.vppn[i]!, t.ps[i]!);
  else forgetStage2(cpu, t, i);
}

/** Any virtual page of the guest may use a stage-2 entry. But all of them are at the pages of the host that it maps. */
function forgetStage2(cpu: Cpu, t: Tlb, i: number): void {
  const ps = t.ps[i]!;
  if (ps > CHUNKS.shift) {
    cpu.fast.clearWorld(t.gid[i]!);
    return;
  }
  for (let half = 2 * i; half < 2 * i + 2; half++) {
    if (!(t.eloLo[half]! & TLBELO.V)) continue;
    const linear = cpu.presentAt(pageAddress(t.eloLo[half]!, t.eloHi[half]!, ps, 0, 0));
    if (linear >= 0) cpu.fast.clearPlaces(t.gid[i]!, linear, POWER[ps]!);
  }
}

function remove(cpu: Cpu, t: Tlb, i: number): void {
  if (!t.e[i]) return;
  t.invalidate(i);
  forget(cpu, t, i);
}

/** Stage 2 ignores ASID; every other lookup needs it. */
const asidOf = (t: TlbTarget): number => (!t.guestType && t.gid !== 0 ? -1 : t.bank.lo(CSR.ASID) & ASID_VALUE);

const inRefill = (bank: CsrBank): boolean => (bank.lo(CSR.TLBRERA) & IS_TLBR) !== 0;

/** Page pair number of an entry-high register. */
const vppnOf = (bank: CsrBank, num: number): number =>
  shr((bank.hi(num) & VPPN_HI) * 0x100000000 + (bank.lo(num) >>> 0), VPPN_AT);

/** Changes bits of TLBIDX, a register of 32 bits with a sign. */
function setIndex(bank: CsrBank, mask: number, bits: number): void {
  bank.update(CSR.TLBIDX, mask, bits);
  const lo = bank.lo(CSR.TLBIDX);
  bank.set(CSR.TLBIDX, lo, lo >> 31);
}

export function tlbsrch(_cpu: Cpu, t: TlbTarget): AfterValue {
  const ehi = inRefill(t.bank) ? CSR.TLBREHI : CSR.TLBEHI;
  const i = t.tlb.find(vppnOf(t.bank, ehi), t.gid, asidOf(t), t.bank.lo(CSR.STLBPS) & STLB_PS);
  if (i < 0) setIndex(t.bank, NE, NE);
  else setIndex(t.bank, NE | INDEX, i);
  return After.next;
}

export function tlbrd(cpu: Cpu, t: TlbTarget): AfterValue {
  const { bank, tlb } = t;
  const i = bank.lo(CSR.TLBIDX) & INDEX;
  if (i >= TLB_SIZE || !tlb.e[i]) {
    setIndex(bank, NE | PS, NE);
    bank.update(CSR.ASID, ASID_VALUE, 0);
    for (const num of [CSR.TLBEHI, CSR.TLBELO0, CSR.TLBELO1]) bank.set(num, 0, 0);
  } else {
    setIndex(bank, NE | PS, inField(tlb.ps[i]!, PS));
    bank.update(CSR.ASID, ASID_VALUE, tlb.asid[i]!);
    const high = tlb.vppn[i]! * POWER[VPPN_AT]!;
    bank.set(CSR.TLBEHI, high | 0, signOfVa(Math.floor(high / 0x100000000)));
    bank.set(CSR.TLBELO0, tlb.eloLo[2 * i]!, tlb.eloHi[2 * i]!);
    bank.set(CSR.TLBELO1, tlb.eloLo[2 * i + 1]!, tlb.eloHi[2 * i + 1]!);
    if (!cpu.vm) cpu.host.setLo(CSR.TRGP, tlb.gid[i] === 0 ? 0 : TRGP.GTLB | inField(tlb.gid[i]!, TRGP.RID));
  }
  cpu.contextChanged();
  return After.goOn;
}

/** Writes entry `i` from the bank's registers (the refill registers inside a refill handler). */
function writeEntry(cpu: Cpu, t: TlbTarget, i: number, by: 'tlbwr' | 'tlbfill', doubled = false): void {
  const { bank, tlb } = t;
  const refill = inRefill(bank);
  if (tlb.e[i]) forget(cpu, tlb, i);
  const [lo0, lo1, ehi] = refill ? [CSR.TLBRELO0, CSR.TLBRELO1, CSR.TLBREHI] : [CSR.TLBELO0, CSR.TLBELO1, CSR.TLBEHI];
  tlb.e[i] = refill || !(bank.lo(CSR.TLBIDX) & NE) ? 1 : 0;
  tlb.setKey(i, vppnOf(bank, ehi), pageSize(bank), t.gid, bank.lo(CSR.ASID) & ASID_VALUE);
  tlb.setPages(i, bank.lo(lo0), bank.hi(lo0), bank.lo(lo1), bank.hi(lo1));
  if (cpu.chances) tlb.filledAt[i] = cpu.position;
  if (!t.guestType && t.gid !== 0) cpu.observer.stage2Filled?.(cpu, t.gid, i);
  cpu.observer.tlbChanged?.(cpu, { guestType: t.guestType, gid: t.gid, index: i, vppn: -1, by, doubled });
}

/** Reports a change to the observer. */
function reportChange(cpu: Cpu, t: { guestType: boolean; gid: number }, index: number, vppn: number, by: string): void {
  cpu.observer.tlbChanged?.(cpu, { guestType: t.guestType, gid: t.gid, index, vppn, by });
}

/** Page size for tlbwr and tlbfill, as a power of two. */
function pageSize(bank: CsrBank): number {
  return inRefill(bank) ? bank.lo(CSR.TLBREHI) & REFILL_PS : (bank.lo(CSR.TLBIDX) & PS) >>> PS_AT;
}

export function tlbwr(cpu: Cpu, t: TlbTarget): AfterValue {
  const i = t.bank.lo(CSR.TLBIDX) & INDEX;
  const ps = pageSize(t.bank);
  // An index out of range, or a page size that its half of the TLB cannot hold, is undefined: nothing is written.
  if (i < TLB_SIZE && legalSize(ps) && (i >= STLB_SIZE || ps === (t.bank.lo(CSR.STLBPS) & STLB_PS))) {
    writeEntry(cpu, t, i, 'tlbwr');
    return After.goOn;
  }
  if (i < TLB_SIZE) remove(cpu, t.tlb, i);
  return After.goOn;
}

export function tlbfill(cpu: Cpu, t: TlbTarget): AfterValue {
  const { bank } = t;
  const ps = pageSize(bank);
  if (!legalSize(ps)) return After.goOn;
  const vppn = vppnOf(bank, inRefill(bank) ? CSR.TLBREHI : CSR.TLBEHI);
  const old = t.tlb.find(vppn, t.gid, asidOf(t), bank.lo(CSR.STLBPS) & STLB_PS);
  const place = placeFor(cpu, t, old, vppn, ps);
  writeEntry(cpu, t, place, 'tlbfill', old >= 0);
  loseAnother(cpu, t.tlb, place);
  return After.goOn;
}

/**
 * Index for a new entry of a page pair.
 * @param old the entry that maps the same page, or −1. It is replaced, because two entries for one page would be undefined
 */
function placeFor(cpu: Cpu, { tlb, bank }: TlbTarget, old: number, vppn: number, ps: number): number {
  if (old >= 0 && tlb.ps[old] === ps) return old;
  if (old >= 0) remove(cpu, tlb, old);
  return ps === (bank.lo(CSR.STLBPS) & STLB_PS)
    ? victim(cpu, tlb, Tlb.set(vppn, ps), STLB_SETS, STLB_WAYS)
    : victim(cpu, tlb, STLB_SIZE, 1, MTLB_SIZE);
}

/**
 * Puts a pair of pages of the running world into its TLB, for the page walk by hardware. With a size that the TLB does not support,
 * nothing is entered.
 * @param forVppn the pair of 4 KiB pages with the address of the walk
 */
export function enterMapping(cpu: Cpu, pair: PagePair, forVppn: number): void {
  const { vppn, ps } = pair;
  if (!legalSize(ps)) return;
  // docs/lvz.md Q4: whatever GTLBC.TGID is, the host's own accesses use GID 0.
  const t = cpu.vm ? guestEntries(cpu, cpu.gid) : hostEntries(cpu, 0);
  const { tlb, bank, gid } = t;
  const asid = bank.lo(CSR.ASID) & ASID_VALUE;
  // The entry that led to the walk may have another size. It must not stay beside the new one.
  const old = tlb.find(forVppn, gid, asid, bank.lo(CSR.STLBPS) & STLB_PS);
  const i = placeFor(cpu, t, old, vppn, ps);
  if (tlb.e[i]) forget(cpu, tlb, i);
  tlb.e[i] = 1;
  tlb.setKey(i, vppn, ps, gid, asid);
  tlb.setPages(i, pair.lo[0]!, pair.hi[0]!, pair.lo[1]!, pair.hi[1]!);
  reportChange(cpu, t, i, -1, 'page walk');
  loseAnother(cpu, tlb, i);
}

/** A pair of pages as a TLB entry holds it. */
export interface PagePair {
  /** Number of the pair. */
  readonly vppn: number;
  /** Page size as a power of two. */
  readonly ps: number;
  /** Halves of TLBELO0 (even page) and TLBELO1 (odd page). */
  readonly lo: Int32Array;
  readonly hi: Int32Array;
}

/** A free index among the `count` indices `first + k·step`, otherwise a random one of them. */
function victim(cpu: Cpu, tlb: Tlb, first: number, step: number, count: number): number {
  for (let k = 0; k < count; k++) if (!tlb.e[first + k * step]) return first + k * step;
  return first + (cpu.nextRandom() % count) * step;
}

/** In a perturbed run a fill may have replaced another entry, too. @param kept the entry that has just been filled */
function loseAnother(cpu: Cpu, tlb: Tlb, kept: number): void {
  const which = cpu.chances?.choose('tlb', cpu.index, cpu.position) ?? 0;
  if (which === 0) return;
  const others: number[] = [];
  tlb.eachValid((i) => {
    if (i !== kept) others.push(i);
  });
  if (others.length > 0) remove(cpu, tlb, others[which % others.length]!);
}

/** Stage-2 entries, of all guests, vanish that were filled at least `age` instructions ago: a TLB may drop what it has not used for long. */
export function loseOldStage2(cpu: Cpu, age: number): void {
  const { htlb, position } = cpu;
  htlb.eachValid((i) => {
    if (htlb.gid[i] !== 0 && position - htlb.filledAt[i]! >= age) remove(cpu, htlb, i);
  });
}

/** `tlbclr`: non-global entries of the ASID in the set (or MTLB) that TLBIDX selects; `tlbflush`: all of them there. */
function clearSelected(cpu: Cpu, t: TlbTarget, everything: boolean): AfterValue {
  const index = t.bank.lo(CSR.TLBIDX) & INDEX;
  const asid = t.bank.lo(CSR.ASID) & ASID_VALUE;
  const { tlb } = t;
  const clear = (i: number): void => {
    if (tlb.gid[i] === t.gid && (everything || (!tlb.g[i] && tlb.asid[i] === asid))) remove(cpu, tlb, i);
  };
  if (index < STLB_SIZE) for (let way = 0; way < STLB_WAYS; way++) clear(way * STLB_SETS + (index % STLB_SETS));
  else for (let i = STLB_SIZE; i < TLB_SIZE; i++) clear(i);
  reportChange(cpu, t, -1, -1, everything ? 'tlbflush' : 'tlbclr');
  return After.goOn;
}
export const tlbclr = (cpu: Cpu, t: TlbTarget): AfterValue => clearSelected(cpu, t, false);
export const tlbflush = (cpu: Cpu, t: TlbTarget): AfterValue => clearSelected(cpu, t, true);

/** The comparison of an invtlb operation, in addition to type and GID. */
interface Match {
  readonly global?: boolean;
  readonly asid?: boolean;
  /** `asid` or global. */
  readonly orGlobal?: boolean;
  readonly address?: boolean;
}

/** Operations 0–6. Operations 9–14 do the same for the guest-type entries of a GID. */
const OPS: Readonly<Record<number, Match>> = {
  0: {},
  1: {},
  2: { global: true },
  3: { global: false },
  4: { global: false, asid: true },
  5: { global: false, asid: true, address: true },
  6: { orGlobal: true, address: true },
};

/** Operations of LVZ by type: stage-2 entries, guest-type entries, one GID or all of them, or one address. */
const LVZ_OPS: Readonly<Record<number, { stage1: boolean; stage2: boolean; gid: boolean; address?: boolean }>> = {
  16: { stage1: true, stage2: false, gid: false },
  17: { stage1: false, stage2: true, gid: false },
  18: { stage1: true, stage2: true, gid: false },
  19: { stage1: true, stage2: false, gid: true },
  20: { stage1: false, stage2: true, gid: true },
  21: { stage1: true, stage2: true, gid: true },
  22: { stage1: false, stage2: true, gid: true, address: true },
};

/** An `invtlb op, rj, rk` with the values of its operands. */
export interface Invtlb {
  readonly op: number;
  /** ASID (9:0) and GID (23:16; docs/lvz.md Q5). */
  readonly rjLo: number;
  /** The address. */
  readonly rkLo: number;
  readonly rkHi: number;
  /** The instruction word, for BADI. */
  readonly word: number;
}

export function invtlb(cpu: Cpu, { op, rjLo, rkLo, rkHi, word }: Invtlb): AfterValue {
  const gid = (rjLo >>> 16) & 0xff;
  const vppn = shr((rkHi & 0xffff) * 0x100000000 + (rkLo >>> 0), 13);
  const place = { asid: rjLo & 0x3ff, vppn };
  const lvzOp = cpu.features.lvz && op >= 9 && op <= 0x16 && op !== 0xf;
  if (op > 6 && !lvzOp) return deliver(cpu, 'INE', { badi: word });
  if (cpu.vm) {
    if (op >= 9) return deliver(cpu, 'IPE', { badi: word });
    if (cpu.host.lo(CSR.GTLBC) & GTLBC.TOTI) return deliver(cpu, 'GSPR', { root: true, badi: word });
    sweep(cpu, cpu.gtlb, cpu.gid, OPS[op]!, place);
    reportChange(cpu, { guestType: true, gid: cpu.gid }, -1, OPS[op]!.address ? vppn : -1, `invtlb ${op}`);
    return After.goOn;
  }
  if (op === 0) {
    // All entries of all guests and both types: hvisor needs this (docs/lvz.md Q6).
    cpu.htlb.empty();
    cpu.gtlb.empty();
    cpu.fast.clearAll();
  } else if (op <= 6) sweep(cpu, cpu.htlb, 0, OPS[op]!, place);
  else if (op <= 0xe) sweep(cpu, cpu.gtlb, gid, OPS[op - 8]!, place);
  else {
    const { stage1, stage2, gid: oneGid, address } = LVZ_OPS[op]!;
    const match: Match = address ? { address: true } : {};
    for (let g = 1; g < 256; g++) {
      if (oneGid && g !== gid) continue;
      if (stage1) sweep(cpu, cpu.gtlb, g, match, place);
      if (stage2) sweep(cpu, cpu.htlb, g, match, place);
      if (oneGid) break;
    }
  }
  if (cpu.observer.tlbChanged) tellInvalidation(cpu, op, gid, vppn);
  return After.goOn;
}

/** Reports to the observer which entries a root `invtlb` has removed. */
function tellInvalidation(cpu: Cpu, op: number, gid: number, vppn: number): void {
  const by = `invtlb 0x${op.toString(16)}`;
  const {
    stage1,
    stage2,
    gid: one,
    address,
  } = LVZ_OPS[op] ?? {
    stage1: op === 0 || op > 6,
    stage2: op <= 6,
    gid: op > 0,
    address: OPS[op > 6 ? op - 8 : op]?.address === true,
  };
  const whose = one ? (op >= 1 && op <= 6 ? 0 : gid) : -1;
  if (stage1) reportChange(cpu, { guestType: true, gid: whose }, -1, address ? vppn : -1, by);
  if (stage2) reportChange(cpu, { guestType: false, gid: whose }, -1, address ? vppn : -1, by);
}

/** Removes the entries of a GID that match, compared with an ASID and a page pair. */
function sweep(cpu: Cpu, tlb: Tlb, gid: number, m: Match, { asid, vppn }: { asid: number; vppn: number }): void {
  const look = (i: number): void => {
    if (!tlb.e[i] || tlb.gid[i] !== gid) return;
    const g = tlb.g[i] === 1;
    if (m.global !== undefined && g !== m.global) return;
    if (m.asid && tlb.asid[i] !== asid) return;
    if (m.orGlobal && !g && tlb.asid[i] !== asid) return;
    if (m.address && shr(tlb.vppn[i]!, tlb.ps[i]! - 12) !== shr(vppn, tlb.ps[i]! - 12)) return;
    remove(cpu, tlb, i);
  };
  if (m.address) tlb.eachPlace(vppn, look);
  else tlb.eachValid(look);
}
