/**
 * The language for fast parts of the CPU model that are not instructions: exception entry and return.
 * It has the nodes of semantics.ts, and further statements that work on the state page of the CPU.
 */
import type { HelperName } from '../cpu/helpers.ts';
import type { Ty } from '../wasm/opcodes.ts';
import type { Node } from './semantics.ts';

export type RoutineStmt =
  | { readonly s: 'let'; readonly id: number; readonly ty: Ty; readonly value: Node }
  | { readonly s: 'put'; readonly offset: number; readonly at: Node | undefined; readonly value: Node }
  | { readonly s: 'if'; readonly cond: Node; readonly yes: readonly RoutineStmt[]; readonly no: readonly RoutineStmt[] }
  | { readonly s: 'helper'; readonly id: number; readonly name: HelperName }
  | { readonly s: 'answer'; readonly value: Node };

/** Records one routine. */
export class Routine {
  private stmts: RoutineStmt[] = [];
  private nextLocal = 0;

  /** Runs `define` and returns its statements, in order. */
  static record(define: (r: Routine) => void): readonly RoutineStmt[] {
    const r = new Routine();
    define(r);
    return r.stmts;
  }

  /** The parameter of a routine that has one. */
  readonly argument: Node = { k: 'register', ty: 'i32', index: 0 };

  /** The value at an offset in the state page, plus `at` bytes (i32). */
  i32(offset: number, at?: Node): Node {
    return { k: 'page', ty: 'i32', offset, at };
  }

  i64(offset: number, at?: Node): Node {
    return { k: 'page', ty: 'i64', offset, at };
  }

  f64(offset: number, at?: Node): Node {
    return { k: 'page', ty: 'f64', offset, at };
  }

  /** The value at a linear address (i32). */
  memory(ty: 'i32' | 'i64', place: Node, offset = 0): Node {
    return { k: 'memory', ty, place, offset };
  }

  /** Evaluates once, now. */
  let(value: Node): Node {
    const id = this.nextLocal++;
    this.stmts.push({ s: 'let', id, ty: value.ty, value });
    return { k: 'local', ty: value.ty, id };
  }

  /** Stores into the state page. */
  put(offset: number, value: Node, at?: Node): void {
    this.stmts.push({ s: 'put', offset, at, value });
  }

  /** `cond` is an i32. */
  if(cond: Node, then: () => void, otherwise?: () => void): void {
    const outer = this.stmts;
    const record = (body?: () => void): RoutineStmt[] => {
      this.stmts = [];
      body?.();
      return this.stmts;
    };
    const yes = record(then);
    const no = record(otherwise);
    this.stmts = outer;
    this.stmts.push({ s: 'if', cond, yes, no });
  }

  /** Calls TypeScript. @returns its result, an i32 */
  helper(name: HelperName): Node {
    const id = this.nextLocal++;
    this.stmts.push({ s: 'helper', id, name });
    return { k: 'local', ty: 'i32', id };
  }

  /** Ends the routine with this result (i32). */
  answer(value: Node): void {
    this.stmts.push({ s: 'answer', value });
  }
}
