/**
 * CSR accesses that change only the memory of the register, as WebAssembly. All other accesses go through
 * csr-access.ts; while somebody observes CSR accesses, all of them do.
 */

import { CRMD } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { Callee } from '../cpu/helpers.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import { CSR_RULE, GUEST_BANK_FACTOR, MODE_GUEST, STATE, WRITERS, WRITERS_OFFSET } from '../memory/layout.ts';
import type { Emitter, Local } from '../wasm/emitter.ts';
import { Float, Op } from '../wasm/opcodes.ts';

/** What the code around an access gives to it. */
export interface CsrSite {
  readonly e: Emitter;
  /** Pushes the address to which `base` and offsets into the state page are added. */
  state(): void;
  readonly base: number;
  /** The number of the register, or the local that holds it. */
  readonly num: number | Local<'i32'>;
  /** The local for the old value. */
  readonly result: Local<'i64'>;
  /** These push the mode word, the new value, the mask of csrxchg, the PC, and the rest of the budget. */
  mode(): void;
  value(): void;
  mask: (() => void) | undefined;
  pc(): void;
  left(): void;
  /** A local for the new content. */
  take(): Local<'i64'>;
  /** Uses the slow path when the i32 on the stack is not 0. */
  failIf(): void;
}

/** How the helpers that have an inline form access a register. */
const KINDS = {
  csrrd: { root: false, writes: false },
  csrwr: { root: false, writes: true },
  csrxchg: { root: false, writes: true },
  gcsrrd: { root: true, writes: false },
  gcsrwr: { root: true, writes: true },
  gcsrxchg: { root: true, writes: true },
} as const;
type CsrHelper = keyof typeof KINDS;

export const isCsrHelper = (helper: Callee): helper is CsrHelper => helper in KINDS;

/** Does the access have an inline form in at least one world? `rules`: those of the register. */
export function hasInlineCsr(helper: CsrHelper, rules: number): boolean {
  const { root, writes } = KINDS[helper];
  const host = writes ? CSR_RULE.hostWrite | CSR_RULE.switchIe : CSR_RULE.hostRead;
  return (rules & (root ? (writes ? CSR_RULE.rootWrite : CSR_RULE.rootRead) : host)) !== 0;
}

/** Bits of CRMD. PG is the one above DA. */
const { IE, DA } = CRMD;

/**
 * Fails unless a write of the host changes nothing but CRMD.IE, and no interrupt waits for it: then no translation and no mode
 * changes, and nothing is due.
 * @param value the new content of CRMD (i64)
 */
function switchesOnlyIe({ e, base, result, state, failIf }: CsrSite, value: Local<'i64'>): void {
  // fail if (value ^ result) & ~IE
  e.get(value).get(result).op(Op.i64Xor).i64n(~IE).op(Op.i64And).i64n(0).op(Op.i64Ne);
  failIf();
  // fail if DA and PG are alike: somebody may want to know of it
  e.get(value).get(value).i64n(1).op(Op.i64ShrU, Op.i64Xor, Op.i32WrapI64).i32(DA).op(Op.i32And, Op.i32Eqz);
  failIf();
  // fail if value & IE && estat & ecfg & interrupts
  state();
  e.mem(Op.i32Load, base + STATE.hostCsr + 8 * CSR.ESTAT);
  state();
  e.mem(Op.i32Load, base + STATE.hostCsr + 8 * CSR.ECFG).op(Op.i32And);
  e.i32(IS_MASK).op(Op.i32And);
  e.i32(0).get(value).op(Op.i32WrapI64).i32(IE).op(Op.i32And, Op.select);
  failIf();
}

/** Emits the access. The old value is then in `site.result`. */
export function emitCsr(helper: CsrHelper, site: CsrSite): void {
  const { e, base, num } = site;
  const { root, writes } = KINDS[helper];
  /** Where the number is known to be CRMD's, only one kind of write has an inline form. */
  const ie = num === CSR.CRMD && writes && !root;
  // fail if somebody watches CSR accesses
  site.state();
  e.mem(Op.i32Load, base + STATE.csrWatched);
  site.failIf();
  /** Pushes the address of an array element by CSR number. The array begins at `offset`. */
  const at = (size: 4 | 8, offset: number): number => {
    // &array[num]
    site.state();
    if (typeof num === 'number') return base + offset + size * num;
    e.get(num)
      .i32(size === 8 ? 3 : 2)
      .op(Op.i32Shl)
      .op(Op.i32Add);
    return base + offset;
  };
  // The rules that the running world needs.
  site.state();
  if (typeof num === 'number') e.mem(Op.i32Load8U, base + STATE.csrRules + num);
  else
    e.get(num)
      .op(Op.i32Add)
      .mem(Op.i32Load8U, base + STATE.csrRules);
  if (root) e.i32(writes ? CSR_RULE.rootWrite : CSR_RULE.rootRead);
  else if (writes) {
    // csr-access.ts records a guest's own writes by GID.
    e.i32(0).i32(ie ? CSR_RULE.switchIe : CSR_RULE.hostWrite);
    site.mode();
    e.i32(MODE_GUEST).op(Op.i32And).op(Op.select);
  } else {
    e.i32(CSR_RULE.guestRead).i32(CSR_RULE.hostRead);
    site.mode();
    e.i32(MODE_GUEST).op(Op.i32And).op(Op.select);
  }
  // fail if !(rules[num] & what this world needs)
  e.op(Op.i32And, Op.i32Eqz);
  site.failIf();
  const guestBank = STATE.guestCsr;
  if (root || writes) {
    // result = bank[num]
    const offset = at(8, root ? guestBank : STATE.hostCsr);
    e.mem(Op.i64Load, offset).set(site.result);
  } else {
    // result = (guest ? guest bank : host bank)[num]
    const offset = at(8, STATE.hostCsr);
    site.mode();
    e.i32(MODE_GUEST)
      .op(Op.i32And)
      .i32(GUEST_BANK_FACTOR)
      .op(Op.i32Mul)
      .op(Op.i32Add)
      .mem(Op.i64Load, offset)
      .set(site.result);
  }
  if (!writes) return;
  // bank[num] = result ^ ((result ^ value) & writable & mask)
  const replaced = ie ? site.take() : undefined;
  const place = replaced ? 0 : at(8, root ? guestBank : STATE.hostCsr);
  e.get(site.result);
  site.value();
  e.op(Op.i64Xor);
  const mask = at(8, root ? STATE.csrRootMask : STATE.csrOwnMask);
  e.mem(Op.i64Load, mask).op(Op.i64And);
  if (site.mask) {
    site.mask();
    e.op(Op.i64And);
  }
  e.get(site.result).op(Op.i64Xor);
  if (replaced) {
    e.set(replaced);
    switchesOnlyIe(site, replaced);
    const crmd = at(8, STATE.hostCsr);
    e.get(replaced).mem(Op.i64Store, crmd);
  } else e.mem(Op.i64Store, place);
  // writer.pc[num] = pc; writer.time[num] = sliceEnd − left; writer.low[num], writer.high[num] = value & mask
  const writers = root ? WRITERS_OFFSET.hostToBank : WRITERS_OFFSET.hostOwn;
  const pc = at(8, writers + WRITERS.pc);
  site.pc();
  e.mem(Op.i64Store, pc);
  const time = at(8, writers + WRITERS.time);
  site.state();
  e.mem(Float.f64Load, base + STATE.sliceEnd);
  site.left();
  e.op(Float.f64ConvertI32S, Float.f64Sub).mem(Float.f64Store, time);
  const written = (): void => {
    site.value();
    if (!site.mask) return;
    site.mask();
    e.op(Op.i64And);
  };
  const high = at(4, writers + WRITERS.high);
  written();
  e.i64n(32).op(Op.i64ShrU, Op.i32WrapI64).mem(Op.i32Store, high);
  const low = at(4, writers + WRITERS.low);
  written();
  e.op(Op.i32WrapI64).mem(Op.i32Store, low);
}
