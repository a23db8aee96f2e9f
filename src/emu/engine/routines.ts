/** WebAssembly for the routines of the CPU model (isa/entry-return.ts). */

import { ROUTINES, type RoutineName } from '../cpu/helpers.ts';
import { DEFINITIONS } from '../isa/entry-return.ts';
import { Routine, type RoutineStmt } from '../isa/routine.ts';
import type { PlainTy } from '../isa/semantics.ts';
import { Emitter, Locals } from '../wasm/emitter.ts';
import type { FuncDef } from '../wasm/module.ts';
import { Float, Op } from '../wasm/opcodes.ts';
import { Expressions, type Site } from './expressions.ts';
import { helperIndex } from './helper-codes.ts';

const STORE = { i32: Op.i32Store, i64: Op.i64Store, f64: Float.f64Store } as const;

class RoutineCode implements Site {
  readonly e = new Emitter();
  readonly locals: Locals;
  readonly base: number;
  private readonly expressions: Expressions;

  /** @param takes the routine has an argument */
  constructor(base: number, takes: boolean) {
    this.base = base;
    this.locals = new Locals(takes ? 1 : 0);
    this.expressions = new Expressions(this, (n) => {
      throw new Error(`routines: ${n.k} is for instructions`);
    });
  }

  emit(name: RoutineName): FuncDef {
    const { e } = this;
    const { takes, answers, define } = DEFINITIONS[name];
    this.stmts(Routine.record(define));
    // An answer has returned from the function already.
    if (answers) e.op(Op.unreachable);
    e.op(Op.end);
    return {
      name,
      type: { params: takes ? ['i32'] : [], results: answers ? ['i32'] : [] },
      locals: this.locals.all(),
      body: e.bytes.view(),
    };
  }

  state(): void {
    this.e.i32(0);
  }

  private stmts(list: readonly RoutineStmt[]): void {
    for (const s of list) this.stmt(s);
  }

  private stmt(s: RoutineStmt): void {
    const { e } = this;
    switch (s.s) {
      case 'let':
        // id = value
        this.expressions.push(s.value);
        e.set(this.expressions.local(s.id, s.ty));
        return;
      case 'put':
        // state[offset + at] = value
        if (s.at) this.expressions.push(s.at);
        else this.state();
        this.expressions.push(s.value);
        e.mem(STORE[s.value.ty as PlainTy], this.base + s.offset);
        return;
      case 'if': {
        // if (cond) { yes } else { no }
        this.expressions.push(s.cond);
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
        // id = helper(0)
        e.i32(0).call(helperIndex(s.name)).set(this.expressions.local(s.id, 'i32'));
        return;
      case 'answer':
        // return value
        this.expressions.push(s.value);
        e.op(Op.return);
        return;
    }
  }
}

/** The function index of a routine. `first`: the index of the first routine. */
export const routineIndex = (first: number, name: RoutineName): number => first + ROUTINES.indexOf(name);

/** The routines of the CPU whose state page is at `base`. */
export const routineFunctions = (base: number): readonly FuncDef[] =>
  ROUTINES.map((name) => new RoutineCode(base, DEFINITIONS[name].takes).emit(name));
