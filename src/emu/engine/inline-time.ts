/**
 * `rdtime` as WebAssembly, where time follows instructions: kernels read it very often. In guests, in user mode, and
 * where the clock of the computer that runs loongscope is the counter, engine.ts executes it.
 */
import { CSR } from '../cpu/csr-table.ts';
import type { Stmt } from '../isa/semantics.ts';
import { MODE_GUEST, STATE } from '../memory/layout.ts';
import type { Emitter, Local } from '../wasm/emitter.ts';
import { Float, Op } from '../wasm/opcodes.ts';

const PLV = 3;

/** Does an instruction read the stable counter? */
export const readsTime = (body: readonly Stmt[]): boolean => body.some((s) => s.s === 'call' && s.helper === 'rdtime');

/** What the code around it gives to it. */
export interface TimeSite {
  readonly e: Emitter;
  /** Pushes the address to which `base` and offsets into the state page are added. */
  state(): void;
  readonly base: number;
  /** The local for the counter. */
  readonly result: Local<'i64'>;
  /** These push the mode word and the rest of the budget. */
  mode(): void;
  left(): void;
  /** Uses the slow path when the i32 on the stack is not 0. */
  failIf(): void;
}

/** Leaves the counter in `site.result`. */
export function emitTime(site: TimeSite): void {
  const { e, base } = site;
  // fail if (state.timeWatched | mode & (guest | plv))
  site.state();
  e.mem(Op.i32Load, base + STATE.timeWatched);
  site.mode();
  e.i32(MODE_GUEST | PLV).op(Op.i32And, Op.i32Or);
  site.failIf();
  // result = (i64)(sliceEnd − left) + CNTC
  site.state();
  e.mem(Float.f64Load, base + STATE.sliceEnd);
  site.left();
  e.op(Float.f64ConvertI32S, Float.f64Sub).op(Float.i64TruncF64S);
  site.state();
  e.mem(Op.i64Load, base + STATE.hostCsr + 8 * CSR.CNTC);
  e.op(Op.i64Add).set(site.result);
}

/** Stores the counter's number, which `rdtime` returns too, where the helper would store it. */
export function emitTimerId(site: TimeSite): void {
  const { e, base } = site;
  // state.argB = TID
  site.state();
  site.state();
  e.mem(Op.i64Load, base + STATE.hostCsr + 8 * CSR.TID).mem(Op.i64Store, base + STATE.argB);
}
