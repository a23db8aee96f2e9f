/** WebAssembly for the routines of the CPU model (isa/entry-return.ts). */

import { ROUTINES, type RoutineName } from '../cpu/helpers.ts';
import { DEFINITIONS } from '../isa/entry-return.ts';
import { Routine, type RoutineStmt } from '../isa/routine.ts';
import type { PlainTy } from '../isa/semantics.ts';
import { Locals } from '../wasm/emitter.ts';
import type { FuncDef } from '../wasm/module.ts';
import { Float, Op } from '../wasm/opcodes.ts';
import { helperIndex } from './helper-codes.ts';
import { type OperandNode, Values } from './values.ts';

const STORE = { i32: Op.i32Store, i64: Op.i64Store, f64: Float.f64Store } as const;

class RoutineCode extends Values {
  protected readonly locals: Locals;

  /** @param takes the routine has an argument */
  constructor(base: number, takes: boolean) {
    super(base);
    this.locals = new Locals(takes ? 1 : 0);
  }

  emit(name: RoutineName): FuncDef {
    const { e } = this;
    const { takes, answers, define } = DEFINITIONS[name];
    this.stmts(Routine.record(define));
    // An answer has returned already.
    if (answers) e.op(Op.unreachable);
    e.op(Op.end);
    return {
      name,
      type: { params: takes ? ['i32'] : [], results: answers ? ['i32'] : [] },
      locals: this.locals.all(),
      body: e.bytes.view(),
    };
  }

  protected state(): void {
    this.e.i32(0);
  }

  protected own(n: OperandNode): never {
    throw new Error(`routines: ${n.k} is for instructions`);
  }

  private stmts(list: readonly RoutineStmt[]): void {
    for (const s of list) this.stmt(s);
  }

  private stmt(s: RoutineStmt): void {
    const { e } = this;
    switch (s.s) {
      case 'let':
        this.node(s.value);
        e.set(this.local(s.id, s.ty));
        return;
      case 'put':
        if (s.at) this.node(s.at);
        else this.state();
        this.node(s.value);
        e.mem(STORE[s.value.ty as PlainTy], this.base + s.offset);
        return;
      case 'if': {
        this.node(s.cond);
        const yes = e.if();
        this.stmts(s.yes);
        if (s.no.length) {
          e.else();
          this.stmts(s.no);
        }
        e.end(yes);
        return;
      }
      case 'helper':
        e.i32(0).call(helperIndex(s.name)).set(this.local(s.id, 'i32'));
        return;
      case 'answer':
        this.node(s.value);
        e.op(Op.return);
        return;
    }
  }
}

/** Function index of a routine; `first`: that of the first one. */
export const routineIndex = (first: number, name: RoutineName): number => first + ROUTINES.indexOf(name);

/** The routines of the CPU whose state page is at `base`. */
export const routineFunctions = (base: number): readonly FuncDef[] =>
  ROUTINES.map((name) => new RoutineCode(base, DEFINITIONS[name].takes).emit(name));
