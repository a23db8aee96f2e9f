/**
 * CSR reads and writes with their side effects: by the running world (`csr*`) and by root on the guest bank
 * (`gcsr*`). Values travel as 32-bit halves in `cpu.mem`'s scratch slot `value`.
 */

import { CSR_LIMIT } from '../memory/layout.ts';
import type { Cpu } from './cpu.ts';
import { type CsrBank, signOfVa } from './csr-bank.ts';
import { CRMD, ESTAT, fieldOf, GCFG, GSTAT, LLBCTL, MWPS, TICLR, TLBRERA, TLBRPRMD } from './csr-fields.ts';
import { CSR, CSRS, type CsrEffect, csrByNumber, isGsprRange, isHidden } from './csr-table.ts';
import { deliver } from './exceptions.ts';
import { After, type AfterValue } from './helpers.ts';
import { updateLines } from './interrupts.ts';
import type { CsrBits } from './observer.ts';
import { TIMER_BITS } from './timer.ts';
import { clearLlBit, llBit } from './world.ts';

const EFFECTS: (CsrEffect | undefined)[] = new Array(CSR_LIMIT).fill(undefined);
const GUEST_OWN = new Uint8Array(CSR_LIMIT);
/** {@link CsrRow.signBit}, or 0. */
const SIGN_BIT = new Uint8Array(CSR_LIMIT);
for (const row of CSRS) {
  SIGN_BIT[row.num] = row.signBit ?? 0;
  EFFECTS[row.num] = row.effect;
  GUEST_OWN[row.num] = row.guest === 'own' ? 1 : 0;
}

/** The high half that goes with a value of CSR `num`: an extended sign is stored, so that reads need no calculation. */
function extended(num: number, lo: number, hi: number): number {
  const bit = SIGN_BIT[num]!;
  if (bit === 0) return hi;
  return bit === 31 ? lo >> 31 : signOfVa(hi);
}

/** Timer CSRs: with GCFG.TIT, an access by a guest exits. */
const isTimerCsr = (num: number): boolean => num >= CSR.TID && num <= CSR.TICLR;

/** Does an access by a guest to CSR `num` exit with GSPR? For a number that does not exist it does not (docs/lvz.md Q9). */
export function guestTraps(cpu: Cpu, num: number): boolean {
  if (isTimerCsr(num) && cpu.host.lo(CSR.GCFG) & GCFG.TIT) return true;
  return num < CSR_LIMIT && csrByNumber(num) !== undefined ? GUEST_OWN[num] === 0 : isGsprRange(num);
}

/** The architectural value of a register, without side effects: halves into the scratch slot. */
export function readCsr(cpu: Cpu, guest: boolean, num: number): void {
  const bank = guest ? cpu.guest : cpu.host;
  if (num >= CSR_LIMIT || isHidden(cpu.features, num)) {
    cpu.setState64('value', 0, 0);
    return;
  }
  switch (num) {
    case CSR.PGD: {
      const bad = bank.lo(CSR.TLBRERA) & TLBRERA.IsTLBR ? CSR.TLBRBADV : CSR.BADV;
      const which = bank.hi(bad) & 0x8000 ? CSR.PGDH : CSR.PGDL;
      cpu.setState64('value', bank.lo(which), bank.hi(which));
      return;
    }
    case CSR.TVAL: {
      const v = (guest ? cpu.guestTimer : cpu.hostTimer).value(cpu.now);
      cpu.setState64('value', v | 0, Math.floor(v / 0x100000000));
      return;
    }
    case CSR.TICLR:
      cpu.setState64('value', 0, 0);
      return;
    case CSR.LLBCTL:
      cpu.setState64('value', (bank.lo(num) & LLBCTL.KLO) | llBit(cpu, guest), 0);
      return;
    default:
      cpu.setState64('value', bank.lo(num), bank.hi(num));
  }
}

/** {@link readCsr} as one value; for debuggers and reports. Leaves the scratch slot as it was. */
export function peekCsr(cpu: Cpu, guest: boolean, num: number): bigint {
  const lo = cpu.stateI32('value');
  const hi = cpu.stateHi('value');
  readCsr(cpu, guest, num);
  const value = (BigInt(cpu.stateHi('value') >>> 0) << 32n) | BigInt(cpu.stateI32('value') >>> 0);
  cpu.setState64('value', lo, hi);
  return value;
}

/**
 * Writes those bits of the mask that software may change, and performs the side effect.
 * @param guest the register is in the guest bank
 * @param asRoot a gcsr write of the host: may also restore hardware fields (docs/lvz.md, "gcsr access")
 */
function writeCsr(cpu: Cpu, guest: boolean, write: CsrBits, asRoot: boolean): AfterValue {
  const { num, lo, hi } = write;
  if (num >= CSR_LIMIT || isHidden(cpu.features, num)) return After.next;
  cpu.noteCsrWrite(num, asRoot, lo & write.maskLo, hi & write.maskHi);
  const bank = guest ? cpu.guest : cpu.host;
  let wmLo = (asRoot ? cpu.masks.rootLo : cpu.masks.ownLo)[num]! & write.maskLo;
  const wmHi = (asRoot ? cpu.masks.rootHi : cpu.masks.ownHi)[num]! & write.maskHi;
  // IS[9:2] of a guest is computed, never stored; TLBRPRMD.PGM does not exist in the guest bank (docs/lvz.md Q30).
  if (guest && num === CSR.ESTAT) wmLo &= ~ESTAT.HWI;
  if (guest && num === CSR.TLBRPRMD) wmLo &= ~TLBRPRMD.PGM;
  const oldLo = bank.lo(num);
  const oldHi = bank.hi(num);
  const newLo = (oldLo & ~wmLo) | (lo & wmLo);
  const newHi = extended(num, newLo, (oldHi & ~wmHi) | (hi & wmHi));
  const effect = EFFECTS[num];
  if (effect === undefined) {
    bank.set(num, newLo, newHi);
    return After.next;
  }
  const changed = newLo !== oldLo || newHi !== oldHi;
  switch (effect) {
    case 'pgd':
      return After.next;
    case 'timer': {
      const timer = guest ? cpu.guestTimer : cpu.hostTimer;
      const before = timer.value(cpu.now);
      bank.set(num, newLo, newHi);
      timer.configure(cpu.now, before);
      return After.leave;
    }
    case 'timerValue':
      if (asRoot) setTimerValue(cpu, newLo, newHi);
      return After.leave;
    case 'timerClear':
      if (lo & wmLo & TICLR.CLR) bank.update(CSR.ESTAT, ESTAT.TI, 0);
      return After.leave;
    case 'llbctl':
      if (lo & wmLo & LLBCTL.WCLLB) clearLlBit(cpu, guest);
      bank.setLo(num, newLo & LLBCTL.KLO);
      return After.next;
    case 'watch':
      // In a status register, writing 1 clears a hit bit; Skip is stored.
      if (num === CSR.MWPS || num === CSR.FWPS)
        bank.setLo(num, (newLo & MWPS.Skip) | (oldLo & ~(lo & wmLo) & ~MWPS.Skip));
      else bank.set(num, newLo, newHi);
      cpu.watchpoints.changed();
      cpu.fast.clearAll();
      cpu.contextChanged();
      return After.leave;
    case 'gcfg':
      bank.setLo(num, legalGcfg(oldLo, newLo));
      return After.leave;
    case 'gintc':
    case 'interrupt':
      bank.set(num, newLo, newHi);
      if (effect === 'gintc') updateLines(cpu);
      return After.goOn;
    case 'gstat':
      bank.set(num, newLo, newHi);
      // Another GID selects another translation context.
      if ((newLo ^ oldLo) & GSTAT.GID) cpu.contextChanged();
      return After.goOn;
    case 'translation':
      bank.set(num, newLo, newHi);
      if (changed && (num === CSR.STLBPS || num === CSR.MISC || num === CSR.RVACFG)) cpu.fast.clearAll();
      if (changed) cpu.contextChanged();
      return After.goOn;
    case 'mode':
      bank.set(num, newLo, newHi);
      if (num === CSR.EUEN) cpu.unitsChanged();
      else {
        if (!!(newLo & CRMD.DA) === !!(newLo & CRMD.PG)) cpu.observer.undefinedMode?.(cpu);
        if (guest === cpu.vm) cpu.modeChanged();
      }
      return After.goOn;
  }
}

/** A root gcsrwr of TVAL: the timer continues from this value; 0 fires at once (docs/lvz.md, "Guest timer"). */
function setTimerValue(cpu: Cpu, lo: number, hi: number): void {
  const value = ((hi >>> 0) * 0x100000000 + (lo >>> 0)) % 2 ** TIMER_BITS;
  cpu.guestTimer.setValue(cpu.now, value);
  cpu.guestTimer.expire(cpu.now);
}

/** An unsupported value of MATC or GCI leaves the field unchanged (docs/lvz.md Q11). */
function legalGcfg(old: number, value: number): number {
  let v = value;
  const matc = fieldOf(v, GCFG.MATC);
  if (matc === 3 || !(fieldOf(v, GCFG.MATP) & (1 << matc))) v = (v & ~GCFG.MATC) | (old & GCFG.MATC);
  const gci = fieldOf(v, GCFG.GCI);
  if (gci === 3 || !(fieldOf(v, GCFG.GCIP) & (1 << gci))) v = (v & ~GCFG.GCI) | (old & GCFG.GCI);
  return v;
}

/** @returns GSPR when the running guest may not access `num` itself, otherwise undefined */
function checkGuest(cpu: Cpu, num: number, word: () => number): AfterValue | undefined {
  return cpu.vm && guestTraps(cpu, num) ? deliver(cpu, 'GSPR', { root: true, badi: word() }) : undefined;
}

/** `csrrd`: value into the scratch slot. `word` reads the instruction, for BADI. */
export function csrrd(cpu: Cpu, num: number, word: () => number): AfterValue {
  const trap = checkGuest(cpu, num, word);
  if (trap !== undefined) return trap;
  cpu.observer.csrRead?.(cpu, cpu.vm ? 'guest' : 'host', num);
  if (!cpu.vm) cpu.readByHost(num);
  readCsr(cpu, cpu.vm, num);
  return After.next;
}

/** `csrwr`/`csrxchg` on the running world's bank: old value into the scratch slot. */
export function csrxchg(cpu: Cpu, write: CsrBits, word: () => number): AfterValue {
  const trap = checkGuest(cpu, write.num, word);
  if (trap !== undefined) return trap;
  return exchange(cpu, cpu.vm, write, false);
}

/** `gcsrrd`. */
export function gcsrrd(cpu: Cpu, num: number): AfterValue {
  if (num < CSR_LIMIT && GUEST_OWN[num]) {
    cpu.observer.csrRead?.(cpu, 'guest', num);
    readCsr(cpu, true, num);
  } else cpu.setState64('value', 0, 0);
  return After.next;
}

/** `gcsrwr`/`gcsrxchg`: numbers outside the bank read 0 and ignore writes. */
export function gcsrxchg(cpu: Cpu, write: CsrBits): AfterValue {
  if (write.num < CSR_LIMIT && GUEST_OWN[write.num]) return exchange(cpu, true, write, true);
  cpu.setState64('value', 0, 0);
  return After.next;
}

/** Puts the old value into the scratch slot and the new value into the register. A debugger may stop before that. */
function exchange(cpu: Cpu, guest: boolean, write: CsrBits, asRoot: boolean): AfterValue {
  const { csrWrite } = cpu.observer;
  if (csrWrite?.(cpu, { bank: guest ? 'guest' : 'host', ...write })) return After.notExecuted;
  readCsr(cpu, guest, write.num);
  const oldLo = cpu.stateI32('value');
  const oldHi = cpu.stateHi('value');
  const after = writeCsr(cpu, guest, write, asRoot);
  cpu.setState64('value', oldLo, oldHi);
  return after;
}

/** A write by a debugger: with the architectural mask of root, without side effects on timers. Caches stay consistent. */
export function pokeCsr(cpu: Cpu, guest: boolean, num: number, value: bigint): void {
  const bank: CsrBank = guest ? cpu.guest : cpu.host;
  const lo = Number(BigInt.asIntN(32, value));
  const hi = Number(BigInt.asIntN(32, value >> 32n));
  const wmLo = cpu.masks.rootLo[num] ?? 0;
  const wmHi = cpu.masks.rootHi[num] ?? 0;
  if (num >= CSR_LIMIT) return;
  const newLo = (bank.lo(num) & ~wmLo) | (lo & wmLo);
  bank.set(num, newLo, extended(num, newLo, (bank.hi(num) & ~wmHi) | (hi & wmHi)));
  cpu.fast.clearAll();
  cpu.contextChanged();
}
