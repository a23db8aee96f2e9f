/** WebAssembly for the routines of the CPU model (isa/entry-return.ts, mmu/resolve.ts). */

import { ROUTINES, type RoutineName } from '../cpu/helpers.ts';
import { ENTRY_RETURN } from '../isa/entry-return.ts';
import { Routine, type RoutineStmt } from '../isa/routine.ts';
import type { PlainTy } from '../isa/semantics.ts';
import { readPgd, walkDirectory, walkPage } from '../mmu/refill-routines.ts';
import { findEntry, resolve } from '../mmu/resolve.ts';
import { Emitter, Locals } from '../wasm/emitter.ts';
import type { FuncDef, FuncType } from '../wasm/module.ts';
import { Float, Op } from '../wasm/opcodes.ts';
import { Expressions, type Site } from './expressions.ts';
import { helperIndex } from './helper-codes.ts';

interface Definition {
  readonly params: FuncType['params'];
  readonly answers: boolean;
  define(r: Routine): void;
}
const DEFINITIONS: Readonly<Record<RoutineName, Definition>> = {
  ...ENTRY_RETURN,
  findEntry: { params: ['i32', 'i64', 'i32', 'i32', 'i32'], answers: true, define: findEntry },
  resolve: { params: ['i64', 'i32'], answers: true, define: resolve },
  readPgd: { params: [], answers: true, define: readPgd },
  walkDirectory: { params: [], answers: true, define: walkDirectory },
  walkPage: { params: [], answers: true, define: walkPage },
};

const STORE = { i32: Op.i32Store, i64: Op.i64Store, f64: Float.f64Store } as const;

class RoutineCode implements Site {
  readonly e = new Emitter();
  readonly locals: Locals;
  readonly base: number;
  private readonly expressions: Expressions;

  private readonly first: number;

  /** @param params the number of parameters @param first the function index of the first routine */
  constructor(base: number, params: number, first: number) {
    this.base = base;
    this.first = first;
    this.locals = new Locals(params);
    this.expressions = new Expressions(this, (n) => {
      throw new Error(`routines: ${n.k} is for instructions`);
    });
  }

  emit(name: RoutineName): FuncDef {
    const { e } = this;
    const { params, answers, define } = DEFINITIONS[name];
    this.stmts(Routine.record(define));
    // An answer has returned from the function already.
    if (answers) e.op(Op.unreachable);
    e.op(Op.end);
    return {
      name,
      type: { params, results: answers ? ['i32'] : [] },
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
      case 'store':
        // memory[place + offset] = value
        this.expressions.push(s.place);
        this.expressions.push(s.value);
        e.mem(STORE[s.value.ty as PlainTy], s.offset);
        return;
      case 'call':
        // id = routine(args…)
        for (const arg of s.args) this.expressions.push(arg);
        e.call(routineIndex(this.first, s.name)).set(this.expressions.local(s.id, 'i32'));
        return;
      case 'count': {
        // if (id < to) do { body; id += step } while (id < to)
        const i = this.expressions.local(s.id, 'i32');
        const below = (): void => {
          e.get(i);
          this.expressions.push(s.to);
          e.op(Op.i32LtU);
        };
        below();
        const any = e.if();
        const again = e.loop();
        this.stmts(s.body);
        e.get(i).i32(s.step).op(Op.i32Add).set(i);
        below();
        e.brIf(again);
        e.end(again);
        e.end(any);
        return;
      }
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

/** The routines of the CPU whose state page is at `base`. `first`: the function index of the first of them. */
export const routineFunctions = (base: number, first: number): readonly FuncDef[] =>
  ROUTINES.map((name) => new RoutineCode(base, DEFINITIONS[name].params.length, first).emit(name));
