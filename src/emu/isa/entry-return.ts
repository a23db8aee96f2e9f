/**
 * Exception entry and `ertn`, for both worlds (Vol. 1, sections 6.3 and 4.2.6.1; docs/lvz.md, "Guest exit", "Delivery" and
 * "Guest entry"): what they do to the CPU's state. Written once, emitted as WebAssembly (engine/routines.ts); instructions
 * run it directly, TypeScript through cpu/exceptions.ts. The callers report to observers, which change nothing here.
 */

import { VA32_OF_PLV0 } from '../cpu/address-mode.ts';
import { CONTEXT_SLOT } from '../cpu/context-slot.ts';
import {
  CRMD,
  ECFG,
  ESTAT,
  GSTAT,
  LLBCTL,
  lowestBit,
  MERRCTL,
  PRMD,
  TLBEHI,
  TLBREHI,
  TLBRERA,
  TLBRPRMD,
  wideMask,
} from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { type ExceptionName, ecodeOf } from '../cpu/exception-table.ts';
import { After, ASK_HELPER } from '../cpu/helpers.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import { NESTING_LIMIT } from '../cpu/observer.ts';
import {
  CSR_LIMIT,
  CSR_RULE,
  EVENT,
  EVENT_BYTES,
  EVENT_KIND,
  EVENTS,
  EVENTS_OFFSET,
  FETCH_ENTRIES,
  REPORT,
  STATE,
  TLB_ENTRIES,
  WRITERS,
  WRITERS_OFFSET,
} from '../memory/layout.ts';
import { Float } from '../wasm/opcodes.ts';
import { type Bank, bankOf, guestMode } from './bank-nodes.ts';
import type { Routine } from './routine.ts';
import {
  add,
  and,
  c32,
  c64,
  eq,
  geU,
  isZero,
  ltU,
  mul,
  type Node,
  ne,
  op,
  or,
  sel,
  shl,
  shrS,
  shrU,
  sub,
  sx,
  w,
  xor,
  zx,
} from './semantics.ts';

/** VALEN: bits of a virtual address. */
const VA_BITS = 48;
const NOTHING = c32(0);
const NOWHERE = c64(0);
const keep = (value: Node, without: number): Node => and(value, c32(~without));

/** Copies fields from the layout of one register to that of another. The pairs are masks of the same width. */
type Moves = readonly (readonly [from: number, to: number])[];

function moved(value: Node, moves: Moves): Node {
  // Fields with the same shift are moved together.
  const byDistance = new Map<number, number>();
  for (const [from, to] of moves) {
    const left = lowestBit(to) - lowestBit(from);
    byDistance.set(left, (byDistance.get(left) ?? 0) | from);
  }
  return [...byDistance]
    .map(([left, mask]) => {
      const bits = and(value, c32(mask));
      return left === 0 ? bits : left > 0 ? shl(bits, c32(left)) : shrU(bits, c32(-left));
    })
    .reduce(or);
}

const reversed = (moves: Moves): Moves => moves.map(([from, to]) => [to, from]);

/** An address as entry-high registers keep it: VPPN, with its sign above. */
function pagePair(address: Node): Node {
  const above = c64(64 - VA_BITS);
  return and(shrS(shl(address, above), above), c64(-(1n << BigInt(lowestBit(TLBEHI.VPPN)))));
}

/** The fields of CRMD that an exception saves, and where it saves them. */
const TO_PRMD: Moves = [
  [CRMD.PLV, PRMD.PPLV],
  [CRMD.IE, PRMD.PIE],
  [CRMD.WE, PRMD.PWE],
];
const TO_TLBRPRMD: Moves = [
  [CRMD.PLV, TLBRPRMD.PPLV],
  [CRMD.IE, TLBRPRMD.PIE],
  [CRMD.WE, TLBRPRMD.PWE],
];
const FROM_MERRCTL: Moves = [
  [MERRCTL.PPLV, CRMD.PLV],
  [MERRCTL.PIE, CRMD.IE],
  [MERRCTL.PDA, CRMD.DA],
  [MERRCTL.PPG, CRMD.PG],
  [MERRCTL.PDATF, CRMD.DATF],
  [MERRCTL.PDATM, CRMD.DATM],
  [MERRCTL.PWE, CRMD.WE],
];
const all = (moves: Moves, side: 0 | 1): number => moves.reduce((mask, m) => mask | m[side], 0);
/** The fields of CRMD that an exception clears and a return restores. */
const SAVED = all(TO_PRMD, 0);

/** The content of an event record. */
interface Event {
  /** The guest-mode bit and PC at the event. */
  readonly guest: Node;
  readonly pc: Node;
  readonly kind: Node;
  readonly ecode: Node;
  readonly esub: Node;
  readonly badv: Node;
  readonly badi: Node;
  readonly va: Node;
  readonly time: Node;
}

/** Adds a record to the event ring. @returns its address, for fields that are filled later */
function addRecord(r: Routine, event: Event): Node {
  const next = r.let(r.i32(EVENTS_OFFSET.next));
  r.put(EVENTS_OFFSET.times, event.time, shl(next, c32(3)));
  r.put(EVENTS_OFFSET.next, and(add(next, c32(1)), c32(EVENTS - 1)));
  const record = r.let(mul(next, c32(EVENT_BYTES)));
  const put = (field: keyof typeof EVENT, value: Node): void =>
    r.put(EVENTS_OFFSET.records + EVENT[field], value, record);
  const gid = shrU(and(r.i32(STATE.hostCsr + 8 * CSR.GSTAT), c32(GSTAT.GID)), c32(lowestBit(GSTAT.GID)));
  put('kind', event.kind);
  put('world', sel(event.guest, gid, c32(-1)));
  put('ecode', event.ecode);
  put('esub', event.esub);
  put('pc', event.pc);
  put('badv', event.badv);
  put('badi', event.badi);
  put('va', event.va);
  put('crmd', bankOf(r, event.guest).lo(CSR.CRMD));
  count(r, EVENTS_OFFSET.total);
  return record;
}

/** Adds 1 to an f64. */
function count(r: Routine, offset: number, at?: Node): void {
  r.put(offset, op('f64', Float.f64Add, r.f64(offset, at), op('f64', Float.f64ConvertI32S, c32(1))), at);
}

/** Selects the translation context for CRMD of the bank and this guest-mode bit (cpu.ts, "modeChanged"). */
function chooseContext(r: Routine, bank: Bank, guest: Node): void {
  const crmd = r.let(bank.lo(CSR.CRMD));
  const parts = CONTEXT_SLOT.parts.map(({ mask, right }) => shrU(and(crmd, c32(mask)), c32(right)));
  const slot = r.let(shl(parts.reduce(or, sel(guest, c32(CONTEXT_SLOT.guest), NOTHING)), c32(2)));
  const set = r.let(r.i32(STATE.contextSets, slot));
  r.if(
    set,
    () => {
      r.put(STATE.readTlb, set);
      r.put(STATE.writeTlb, add(set, c32(16 * TLB_ENTRIES)));
      r.put(STATE.fetchTlb, add(set, c32(32 * TLB_ENTRIES)));
      r.put(STATE.mode, r.i32(STATE.contextModes, slot));
    },
    () => void r.helper('modeChanged'),
  );
}

const PAGE_FAULTS = ['PIL', 'PIS', 'PIF', 'PME', 'PNR', 'PNX', 'PPI'] as const;
const FIRST_PAGE_FAULT = Math.min(...PAGE_FAULTS.map(ecodeOf));

/** An exception, with properties that are checked at its entry; absent: never true. */
interface Exception extends Event {
  /** Ecode and EsubCode, as in ESTAT 30:16. */
  readonly code: Node;
  /** The exception is a VM exit; a TLB refill; an interrupt; BADV is defined; and it is a page fault. */
  readonly leaving?: Node;
  readonly refill?: Node;
  readonly interrupt?: Node;
  readonly hasBadv?: Node;
  readonly pageFault?: Node;
}

const choose = (cond: Node | undefined, a: Node, b: Node): Node => (cond ? sel(cond, a, b) : b);
function when(r: Routine, cond: Node | undefined, then: () => void, otherwise?: () => void): void {
  if (cond) r.if(cond, then, otherwise);
  else otherwise?.();
}

/** Entry of an exception of the instruction at PC. PC becomes the vector. @returns exceptions in a row without a return */
function enter(r: Routine, x: Exception): Node {
  const { code, ecode, leaving, guest: from } = x;
  const world = bankOf(r, from);
  const short = r.let(and(world.lo(CSR.MISC), shl(c32(VA32_OF_PLV0), and(world.lo(CSR.CRMD), c32(CRMD.PLV)))));
  // 32-bit address mode: the upper halves of addresses are 0. That of a VM exit is no virtual address.
  const shortened = (address: Node, where: Node): Node => r.let(sel(where, zx(w(address)), address));
  const pc = shortened(x.pc, short);
  const badv = shortened(x.badv, leaving ? sel(leaving, NOTHING, short) : short);
  const record = addRecord(r, x);
  const { hostExceptions, guestExceptions, exits } = EVENTS_OFFSET;
  const stays = sel(from, c32(guestExceptions - hostExceptions), NOTHING);
  const counters = choose(leaving, c32(exits - hostExceptions), stays);
  count(r, hostExceptions, r.let(add(counters, shl(ecode, c32(3)))));
  when(r, leaving, () => void r.helper('leaveGuest'));
  const guest = leaving ? r.let(sel(leaving, NOTHING, from)) : from;
  const bank = bankOf(r, guest);
  const crmd = r.let(bank.lo(CSR.CRMD));
  const saved = (moves: Moves): Node => moved(crmd, moves);
  const goOn = (where: Node): void => {
    const vector = r.let(where);
    r.put(STATE.pc, vector);
    r.put(EVENTS_OFFSET.records + EVENT.vector, vector, record);
  };
  when(
    r,
    x.refill,
    () => {
      bank.set(CSR.TLBRPRMD, or(saved(TO_TLBRPRMD), choose(leaving, c32(TLBRPRMD.PGM), NOTHING)));
      bank.set(CSR.TLBRERA, or(and(pc, c64(wideMask('TLBRERA', 'PC'))), c64(TLBRERA.IsTLBR)));
      bank.set(CSR.TLBRBADV, badv);
      const size = and(bank.wide(CSR.TLBREHI), c64(TLBREHI.PS));
      bank.set(CSR.TLBREHI, or(pagePair(badv), size));
      bank.set(CSR.CRMD, or(keep(crmd, SAVED | CRMD.PG), c32(CRMD.DA)));
      bank.set(CSR.BADI, x.badi);
      goOn(bank.wide(CSR.TLBRENTRY));
    },
    () => {
      bank.set(CSR.PRMD, saved(TO_PRMD));
      // docs/lvz.md Q1: every ordinary exception to root records the mode it came from, as PRMD does.
      r.if(isZero(guest), () =>
        bank.set(CSR.GSTAT, or(keep(bank.lo(CSR.GSTAT), GSTAT.PGM), choose(leaving, c32(GSTAT.PGM), NOTHING))),
      );
      bank.set(CSR.CRMD, keep(crmd, SAVED));
      bank.set(CSR.ERA, pc);
      const cause = shl(code, c32(lowestBit(ESTAT.Ecode)));
      bank.set(CSR.ESTAT, or(keep(bank.lo(CSR.ESTAT), ESTAT.Ecode | ESTAT.EsubCode), cause));
      // docs/lvz.md Q22: GSPR, HVC and interrupts leave BADV as it was.
      when(r, x.hasBadv, () => bank.set(CSR.BADV, badv));
      when(r, x.pageFault, () => bank.set(CSR.TLBEHI, pagePair(badv)));
      const toBadi = (): void => bank.set(CSR.BADI, sx(x.badi));
      when(r, x.interrupt && isZero(x.interrupt), toBadi, x.interrupt ? undefined : toBadi);
      // Slots of 2^(VS+2) bytes: Ecode, or 64 + interrupt number. The offset is not added but joined by OR (Vol. 1, 6.3.1).
      const vs = r.let(shrU(and(bank.lo(CSR.ECFG), c32(ECFG.VS)), c32(lowestBit(ECFG.VS))));
      const number = choose(x.interrupt, add(x.badi, c32(64)), ecode);
      const slot = sel(vs, shl(number, add(vs, c32(2))), NOTHING);
      goOn(or(bank.wide(CSR.EENTRY), zx(slot)));
    },
  );
  chooseContext(r, bank, guest);
  const nesting = r.let(add(r.i32(STATE.nesting), c32(1)));
  r.put(STATE.nesting, nesting);
  return nesting;
}

/** Any exception, as STATE.report describes it. */
function enterException(r: Routine): void {
  const at = (field: keyof typeof REPORT): number => STATE.report + REPORT[field];
  const kind = r.let(r.i32(at('kind')));
  const code = r.let(r.i32(at('code')));
  const ecode = r.let(and(code, c32(0x3f)));
  const is = (name: ExceptionName): Node => r.let(eq(ecode, c32(ecodeOf(name))));
  const hasBadv = r.let(and(kind, c32(EVENT_KIND.hasBadv)));
  enter(r, {
    guest: r.let(guestMode(r)),
    pc: r.let(r.i64(STATE.pc)),
    kind,
    code,
    ecode,
    esub: shrU(code, c32(6)),
    badv: r.let(r.i64(at('badv'))),
    badi: r.let(r.i32(at('badi'))),
    va: r.i64(at('va')),
    time: r.f64(at('time')),
    leaving: r.let(and(kind, c32(EVENT_KIND.exit))),
    refill: is('TLBR'),
    interrupt: is('INT'),
    hasBadv,
    pageFault: ltU(sub(ecode, c32(FIRST_PAGE_FAULT)), c32(PAGE_FAULTS.length)),
  });
}

/** Time of an instruction, where the stable counter counts instructions. */
const instructionTime = (r: Routine): Node =>
  op('f64', Float.f64Sub, r.f64(STATE.sliceEnd), op('f64', Float.f64ConvertI32S, r.i32(STATE.left)));

/** The word of the instruction at `pc`, through its fetch translation. */
function instructionAt(r: Routine, pc: Node): Node {
  const page = w(shrU(pc, c64(12)));
  const entry = r.let(add(r.i32(STATE.fetchTlb), shl(and(page, c32(FETCH_ENTRIES - 1)), c32(4))));
  const known = r.let(eq(r.memory('i64', entry), and(pc, c64(~0xfff))));
  const place = add(r.memory('i32', entry, 12), and(w(pc), c32(0xffc)));
  // Without a translation the word is at address 0, which always holds 0.
  return r.let(r.memory('i32', sel(known, place, NOTHING)));
}

/** An exception inside a world, at its instruction: the answer for running code. */
function raised(r: Routine, x: Pick<Exception, 'kind' | 'ecode' | 'badv' | 'refill'>): void {
  const pc = r.let(r.i64(STATE.pc));
  const badi = instructionAt(r, pc);
  const guest = r.let(guestMode(r));
  const nesting = enter(r, {
    ...x,
    guest,
    pc,
    code: x.ecode,
    esub: NOTHING,
    badi,
    va: x.badv,
    time: instructionTime(r),
  });
  const due = isZero(and(nesting, c32(NESTING_LIMIT - 1)));
  r.if(or(r.i32(STATE.exceptionsWatched), due), () => r.answer(r.helper('delivered')));
  r.answer(c32(After.arrived));
}

/** An exception inside a world, with the Ecode in the argument: not a refill, not an interrupt, without BADV. */
function raisePlain(r: Routine): void {
  raised(r, { kind: c32(EVENT_KIND.exception), ecode: r.argument(0, 'i32'), badv: NOWHERE });
}

/** A refill for the address in the argument, if `resolve` has just found that it needs one. The answer is 0 if not. */
function raiseRefill(r: Routine): void {
  r.if(isZero(r.i32(STATE.missed)), () => r.answer(NOTHING));
  r.put(STATE.missed, NOTHING);
  const ecode = c32(ecodeOf('TLBR'));
  raised(r, {
    kind: c32(EVENT_KIND.exception | EVENT_KIND.hasBadv),
    ecode,
    badv: r.argument(0, 'i64'),
    refill: c32(1),
  });
}

/**
 * A write of the host to a CSR that decides about translation or mode: one that changes nothing, or only CRMD.IE, while no interrupt waits
 * for it. The answer is that for running code, or ASK_HELPER. The operands are those of `csrwr` and `csrxchg`.
 * @param mask the bits to write (i64)
 */
function writeQuietly(r: Routine, mask: Node): void {
  const refuseIf = (cond: Node): void => r.if(cond, () => r.answer(c32(ASK_HELPER)));
  const num = r.let(r.i32(STATE.argA));
  refuseIf(or(geU(num, c32(CSR_LIMIT)), or(r.i32(STATE.csrWatched), guestMode(r))));
  const rules = r.let(r.i32(STATE.csrRules, num));
  refuseIf(isZero(and(rules, c32(CSR_RULE.unchanged))));
  const value = r.let(r.i64(STATE.argB));
  const place = r.let(shl(num, c32(3)));
  const old = r.let(r.i64(STATE.hostCsr, place));
  const own = r.i64(STATE.csrOwnMask, place);
  const content = r.let(xor(old, and(xor(old, value), and(own, mask))));
  r.if(
    and(rules, c32(CSR_RULE.switchIe)),
    () => {
      refuseIf(ne(and(xor(content, old), c64(~CRMD.IE)), NOWHERE));
      // Where DA and PG are alike, somebody may want to know of it.
      refuseIf(isZero(and(w(xor(content, shrU(content, c64(1)))), c32(CRMD.DA))));
      const waiting = and(r.i32(STATE.hostCsr + 8 * CSR.ESTAT), r.i32(STATE.hostCsr + 8 * CSR.ECFG));
      refuseIf(sel(and(w(content), c32(CRMD.IE)), and(waiting, c32(IS_MASK)), NOTHING));
      r.put(STATE.hostCsr + 8 * CSR.CRMD, content);
    },
    () => refuseIf(ne(content, old)),
  );
  const { hostOwn } = WRITERS_OFFSET;
  r.put(hostOwn + WRITERS.pc, r.i64(STATE.pc), place);
  r.put(hostOwn + WRITERS.time, instructionTime(r), place);
  const written = r.let(and(value, mask));
  r.put(hostOwn + WRITERS.high, w(shrU(written, c64(32))), shl(num, c32(2)));
  r.put(hostOwn + WRITERS.low, w(written), shl(num, c32(2)));
  r.put(STATE.value, old);
  r.answer(c32(After.next));
}

/** `ertn` at PC, in the running world. PLV has been checked. */
function ertn(r: Routine): void {
  const from = r.let(r.i64(STATE.pc));
  const guest = r.let(guestMode(r));
  const bank = bankOf(r, guest);
  const crmd = r.let(bank.lo(CSR.CRMD));
  const refill = r.let(and(bank.lo(CSR.TLBRERA), c32(TLBRERA.IsTLBR)));
  const merr = r.let(sel(guest, NOTHING, and(bank.lo(CSR.MERRCTL), c32(MERRCTL.IsMERR))));
  const pgm = (num: number, mask: number): Node => and(bank.lo(num), c32(mask));
  const previous = sel(
    merr,
    pgm(CSR.MERRCTL, MERRCTL.PGM),
    sel(refill, pgm(CSR.TLBRPRMD, TLBRPRMD.PGM), pgm(CSR.GSTAT, GSTAT.PGM)),
  );
  const toGuest = r.let(sel(guest, NOTHING, previous));
  const back = (moves: Moves, value: Node): Node => or(keep(crmd, all(moves, 1)), moved(value, moves));
  r.put(STATE.nesting, NOTHING);
  r.if(
    merr,
    () => {
      bank.set(CSR.CRMD, back(FROM_MERRCTL, r.let(bank.lo(CSR.MERRCTL))));
      bank.clear(CSR.MERRCTL, MERRCTL.IsMERR);
      r.put(STATE.pc, bank.wide(CSR.MERRERA));
    },
    () =>
      r.if(
        refill,
        () => {
          const restored = back(reversed(TO_TLBRPRMD), r.let(bank.lo(CSR.TLBRPRMD)));
          bank.set(CSR.CRMD, or(keep(restored, CRMD.DA), c32(CRMD.PG)));
          bank.clear(CSR.TLBRERA, TLBRERA.IsTLBR);
          r.put(STATE.pc, and(bank.wide(CSR.TLBRERA), c64(wideMask('TLBRERA', 'PC'))));
        },
        () => {
          bank.set(CSR.CRMD, back(reversed(TO_PRMD), r.let(bank.lo(CSR.PRMD))));
          r.put(STATE.pc, bank.wide(CSR.ERA));
        },
      ),
  );
  // Every return clears the LL bit of its world. LLBCTL.KLO keeps it for one return.
  r.if(
    and(bank.lo(CSR.LLBCTL), c32(LLBCTL.KLO)),
    () => bank.clear(CSR.LLBCTL, LLBCTL.KLO),
    () => r.put(STATE.llBit, NOTHING),
  );
  r.if(toGuest, () => {
    // A CPU without LVZ has no guests.
    const entered = r.helper('enterGuest');
    r.if(entered, () => {
      addRecord(r, {
        guest: c32(1),
        pc: r.i64(STATE.pc),
        kind: c32(EVENT_KIND.entry),
        ecode: NOTHING,
        esub: NOTHING,
        badv: NOWHERE,
        badi: NOTHING,
        va: from,
        time: r.f64(STATE.report + REPORT.time),
      });
      r.answer(r.helper('entered'));
    });
  });
  chooseContext(r, bank, guest);
  r.answer(sel(due(r, guest), c32(After.jumped), c32(After.arrived)));
}

/** Must an interrupt be taken before the next instruction? Those of the host always, those of the guest only in guest mode. */
function due(r: Routine, guest: Node): Node {
  const of = (bank: number): Node => {
    const lo = (num: number): Node => r.i32(bank + 8 * num);
    const pending = and(and(lo(CSR.ESTAT), lo(CSR.ECFG)), c32(IS_MASK));
    return sel(and(lo(CSR.CRMD), c32(CRMD.IE)), pending, NOTHING);
  };
  return or(of(STATE.hostCsr), sel(guest, of(STATE.guestCsr), NOTHING));
}

/** The routines with their parameters. */
export const ENTRY_RETURN = {
  enterException: { params: [], answers: false, define: enterException },
  raisePlain: { params: ['i32'], answers: true, define: raisePlain },
  raiseRefill: { params: ['i64'], answers: true, define: raiseRefill },
  writeQuietly: { params: [], answers: true, define: (r: Routine) => writeQuietly(r, c64(-1)) },
  exchangeQuietly: { params: [], answers: true, define: (r: Routine) => writeQuietly(r, r.i64(STATE.va)) },
  ertn: { params: [], answers: true, define: ertn },
  interruptDue: { params: [], answers: true, define: (r: Routine) => r.answer(due(r, guestMode(r))) },
} as const;
