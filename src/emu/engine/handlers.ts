/**
 * The handlers of the instructions: the checks that a row needs, and its recorded definition. The function around a
 * handler decides what comes after it: the next turn of the loop, or a return to the caller.
 */
import { EXCEPTIONS, type ExceptionName } from '../cpu/exception-table.ts';
import { UNITS } from '../isa/row.ts';
import { MODE_GUEST, MODE_UNITS_OFF, UOP_BYTES } from '../memory/layout.ts';
import { Op } from '../wasm/opcodes.ts';
import { pushState } from './expressions.ts';
import { helperIndex } from './helper-codes.ts';
import { type HandlerFrame, InterpreterBackend } from './interpreter-backend.ts';
import { AFTER, P, R } from './interpreter-locals.ts';
import type { Variant } from './uop.ts';

/** Emits handlers into a function. */
export class Handlers {
  private readonly frame: HandlerFrame;
  private readonly backend: InterpreterBackend;

  constructor(frame: HandlerFrame) {
    this.frame = frame;
    this.backend = new InterpreterBackend(frame);
  }

  /** One handler: of one instruction, or of two in a row. */
  emit(v: Variant): void {
    this.frame.locals.reset();
    this.variant(v, v.second !== undefined);
    if (v.second) this.variant(v.second, false);
  }

  raise(name: ExceptionName): void {
    const { e, exit } = this.frame;
    // r = raise(name); exit
    this.frame.sync();
    e.i32(EXCEPTIONS.findIndex((x) => x.name === name))
      .call(helperIndex('raise'))
      .set(R)
      .br(exit);
  }

  /** @param goesOn the second instruction of a pair follows */
  private variant(v: Variant, goesOn: boolean): void {
    const { backend } = this;
    const { e, exit } = this.frame;
    backend.variant = v;
    backend.goesOn = goesOn;
    backend.code.expressions.forget();
    this.checks(v);
    if (!backend.code.emit(v.body)) return;
    if (v.body.some((s) => s.s === 'call')) {
      // if (after) { r = after; exit }
      e.get(AFTER);
      const leave = e.if();
      e.get(AFTER).set(R).br(exit);
      e.end(leave);
    }
    // p += one micro-op
    if (goesOn) e.get(P).i32(UOP_BYTES).op(Op.i32Add).set(P);
    else this.frame.advance();
  }

  private checks({ row }: Variant): void {
    const { e, exit } = this.frame;
    const when = (mask: number, then: () => void): void => {
      // if (state.mode & mask) then
      pushState(this.backend, Op.i32Load, 'mode');
      e.i32(mask).op(Op.i32And);
      const yes = e.if();
      then();
      e.end(yes);
    };
    // In a guest, INE has priority over the privilege check, and a privilege violation has priority over GSPR
    // (docs/lvz.md).
    if (row.guest === 'INE') when(MODE_GUEST, () => this.raise('INE'));
    if (row.priv) when(3, () => this.raise('IPE'));
    if (row.guest === 'GSPR') when(MODE_GUEST, () => this.raise('GSPR'));
    if (row.unit) {
      const unit = UNITS.indexOf(row.unit);
      when(MODE_UNITS_OFF << unit, () => {
        // r = unitDisabled(unit); exit
        this.frame.sync();
        e.i32(unit).call(helperIndex('unitDisabled')).set(R).br(exit);
      });
    }
  }
}
