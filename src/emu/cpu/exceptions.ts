/**
 * Exception entry and return, for both worlds (Vol. 1, section 6.2; docs/lvz.md, "Guest exit" and "Delivery").
 * STATE.pc holds the instruction that faults (or would run next) and receives the vector.
 */

import { After } from '../isa/helpers.ts';
import { enterGuest, leaveGuest } from '../lvz/world.ts';
import { type Cpu, NESTING_LIMIT } from './cpu.ts';
import type { CsrBank } from './csr-bank.ts';
import { CSR } from './csr-table.ts';
import { type ExceptionName, type ExceptionRow, exceptionByName } from './exception-table.ts';

/** CRMD bits PLV, IE and WE, which an exception clears and `ertn` restores. */
const CRMD_SAVED = 0x207;
const CRMD_DA = 8;
const CRMD_PG = 0x10;
const PAGE_FAULTS = new Set<string>(['PIL', 'PIS', 'PIF', 'PME', 'PNR', 'PNX', 'PPI']);

/** What an exception reports besides its code. */
export interface Cause {
  /** BADV, when the exception defines it. */
  readonly badv?: { readonly lo: number; readonly hi: number };
  /** The instruction word for BADI; absent for interrupts. */
  readonly badi?: number;
  /** Deliver to the host even in guest mode. */
  readonly root?: boolean;
  /** Stage-2 fault: the guest virtual address behind BADV's GPA. */
  readonly gva?: { readonly lo: number; readonly hi: number };
  /** Interrupt number, for the vector of INT. */
  readonly irq?: number;
}

/** PRMD layout from CRMD: PPLV, PIE, PWE. */
const prmdOf = (crmd: number): number => (crmd & 7) | ((crmd >> 6) & 8);
/** CRMD bits from PRMD layout. */
const crmdOf = (prmd: number): number => (prmd & 7) | ((prmd & 8) << 6);

/** Delivers an exception: state changes, PC = vector. @returns what a helper that raised must return */
export function deliver(cpu: Cpu, name: ExceptionName, cause: Cause = {}): typeof After.jumped {
  const row = exceptionByName(name);
  const toRoot = !cpu.vm || cause.root === true;
  const leaving = cpu.vm && toRoot;
  const world = cpu.world;
  const pcLo = cpu.pcLo;
  const pcHi = cpu.pcHi;
  const { badv } = cause;
  const va = cause.gva ?? badv;
  cpu.events.push(
    leaving ? 1 : 0,
    cpu.now,
    world,
    row.ecode,
    row.esub,
    pcLo,
    pcHi,
    badv !== undefined,
    badv?.lo ?? 0,
    badv?.hi ?? 0,
    cause.badi ?? cause.irq ?? 0,
    va?.lo ?? 0,
    va?.hi ?? 0,
    cause.gva !== undefined,
  );
  if (leaving) leaveGuest(cpu);
  const bank = toRoot ? cpu.host : cpu.guest;
  const crmd = bank.lo(CSR.CRMD);
  if (name === 'TLBR') {
    // TLBRPRMD: PPLV, PIE, PGM (bit 3, root only), PWE (bit 4).
    bank.setLo(CSR.TLBRPRMD, (crmd & 7) | (leaving ? 8 : 0) | ((crmd >> 5) & 0x10));
    bank.set(CSR.TLBRERA, (pcLo & ~3) | 1, pcHi);
    bank.set(CSR.TLBRBADV, badv!.lo, badv!.hi);
    bank.set(CSR.TLBREHI, (badv!.lo & ~0x1fff) | (bank.lo(CSR.TLBREHI) & 0x3f), badv!.hi & 0xffff);
    bank.setLo(CSR.CRMD, (crmd & ~(CRMD_SAVED | CRMD_PG)) | CRMD_DA);
    jump(cpu, bank.lo(CSR.TLBRENTRY), bank.hi(CSR.TLBRENTRY));
  } else {
    bank.setLo(CSR.PRMD, prmdOf(crmd));
    // docs/lvz.md Q1: every ordinary exception to root records the mode it came from, as PRMD does.
    if (toRoot) bank.update(CSR.GSTAT, 2, leaving ? 2 : 0);
    bank.setLo(CSR.CRMD, crmd & ~CRMD_SAVED);
    bank.set(CSR.ERA, pcLo, pcHi);
    bank.update(CSR.ESTAT, 0x7fff0000, (row.ecode << 16) | (row.esub << 22));
    // docs/lvz.md Q22: GSPR, HVC and interrupts leave BADV as it was.
    if (badv) bank.set(CSR.BADV, badv.lo, badv.hi);
    if (badv && PAGE_FAULTS.has(name)) bank.set(CSR.TLBEHI, badv.lo & ~0x1fff, badv.hi & 0xffff);
    if (cause.badi !== undefined) bank.setLo(CSR.BADI, cause.badi);
    vector(cpu, bank, row, cause.irq);
  }
  cpu.events.setVector(cpu.pcLo, cpu.pcHi);
  cpu.modeChanged();
  cpu.observer.exception?.(cpu);
  if (leaving) cpu.observer.exited?.(cpu);
  if (++cpu.nesting % NESTING_LIMIT === 0) cpu.observer.nested?.(cpu);
  return After.jumped;
}

/** PC = EENTRY + slot, slots of 2^(VS+2) bytes: Ecode, or 64 + interrupt number (Vol. 1, section 6.2.1). */
function vector(cpu: Cpu, bank: CsrBank, row: ExceptionRow, irq: number | undefined): void {
  const vs = (bank.lo(CSR.ECFG) >> 16) & 7;
  const slot = vs === 0 ? 0 : (irq === undefined ? row.ecode : 64 + irq) * 4 * 2 ** vs;
  // EENTRY is page-aligned and a slot reaches at most 64 KiB: the sum may carry into bit 16 and above.
  const lo = (bank.lo(CSR.EENTRY) >>> 0) + slot;
  jump(cpu, lo | 0, bank.hi(CSR.EENTRY) + (lo >= 0x100000000 ? 1 : 0));
}

function jump(cpu: Cpu, lo: number, hi: number): void {
  cpu.setPc(lo, hi);
}

/** `ertn` in the running world (Vol. 1, section 4.2.6; docs/lvz.md, "Guest entry"). PLV has been checked. */
export function ertn(cpu: Cpu): typeof After.jumped {
  const bank = cpu.csr;
  const crmd = bank.lo(CSR.CRMD);
  let toGuest = false;
  cpu.nesting = 0;
  const fromLo = cpu.pcLo;
  const fromHi = cpu.pcHi;
  if (!cpu.vm && bank.lo(CSR.MERRCTL) & 1) {
    const m = bank.lo(CSR.MERRCTL);
    const restored = ((m >> 2) & 7) | (((m >> 6) & 1) << 9) | (((m >> 7) & 0x3f) << 3);
    bank.setLo(CSR.CRMD, (crmd & ~0x3ff) | restored);
    bank.update(CSR.MERRCTL, 1, 0);
    jump(cpu, bank.lo(CSR.MERRERA), bank.hi(CSR.MERRERA));
    toGuest = (m & 0x20) !== 0;
  } else if (bank.lo(CSR.TLBRERA) & 1) {
    const p = bank.lo(CSR.TLBRPRMD);
    bank.setLo(CSR.CRMD, (crmd & ~(CRMD_SAVED | CRMD_DA)) | CRMD_PG | (p & 7) | ((p & 0x10) << 5));
    bank.update(CSR.TLBRERA, 1, 0);
    jump(cpu, bank.lo(CSR.TLBRERA) & ~3, bank.hi(CSR.TLBRERA));
    toGuest = !cpu.vm && (p & 8) !== 0;
  } else {
    bank.setLo(CSR.CRMD, (crmd & ~CRMD_SAVED) | crmdOf(bank.lo(CSR.PRMD)));
    jump(cpu, bank.lo(CSR.ERA), bank.hi(CSR.ERA));
    // LLBCTL.KLO keeps the LL bit over this one return.
    if (bank.lo(CSR.LLBCTL) & 4) bank.update(CSR.LLBCTL, 4, 0);
    else cpu.setStateI32('llBit', 0);
    toGuest = !cpu.vm && (bank.lo(CSR.GSTAT) & 2) !== 0;
  }
  if (toGuest && cpu.features.lvz) enterGuest(cpu, fromLo, fromHi);
  else cpu.modeChanged();
  return After.jumped;
}
