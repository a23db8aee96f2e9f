/**
 * The language for fast parts of the CPU model that are not instructions: exception entry and return, translation.
 * It has the nodes of semantics.ts, and further statements that work on the state page of the CPU.
 */
import type { HelperName, RoutineName } from '../cpu/helpers.ts';
import type { Ty } from '../wasm/opcodes.ts';
import type { Node } from './semantics.ts';

export type RoutineStmt =
  | { readonly s: 'let'; readonly id: number; readonly ty: Ty; readonly value: Node }
  | { readonly s: 'put'; readonly offset: number; readonly at: Node | undefined; readonly value: Node }
  | { readonly s: 'if'; readonly cond: Node; readonly yes: readonly RoutineStmt[]; readonly no: readonly RoutineStmt[] }
  | { readonly s: 'helper'; readonly id: number; readonly name: HelperName }
  | { readonly s: 'store'; readonly place: Node; readonly offset: number; readonly value: Node }
  | { readonly s: 'call'; readonly id: number; readonly name: RoutineName; readonly args: readonly Node[] }
  | {
      readonly s: 'count';
      readonly id: number;
      readonly to: Node;
      readonly step: number;
      readonly body: readonly RoutineStmt[];
    }
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

  /** Parameter `index` of the routine. */
  argument(index: number, ty: 'i32' | 'i64'): Node {
    return { k: 'register', ty, index };
  }

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

  /** Gives a value of {@link let} another content. */
  assign(local: Node, value: Node): void {
    if (local.k !== 'local') throw new Error(`routine: ${local.k} cannot be assigned`);
    this.stmts.push({ s: 'let', id: local.id, ty: local.ty, value });
  }

  /** Stores at a linear address (i32). */
  store(place: Node, offset: number, value: Node): void {
    this.stmts.push({ s: 'store', place, offset, value });
  }

  /** Stores into the state page. */
  put(offset: number, value: Node, at?: Node): void {
    this.stmts.push({ s: 'put', offset, at, value });
  }

  /** `cond` is an i32. */
  if(cond: Node, then: () => void, otherwise?: () => void): void {
    const yes = this.inside(then);
    const no = otherwise ? this.inside(otherwise) : [];
    this.stmts.push({ s: 'if', cond, yes, no });
  }

  /** Repeats `body` for `from`, `from` + step and so on, while they are below `to` (i32 without sign). */
  count(from: Node, to: Node, step: number, body: (i: Node) => void): void {
    const i = this.let(from);
    if (i.k !== 'local') throw new Error('routine: let gives a local');
    this.stmts.push({ s: 'count', id: i.id, to, step, body: this.inside(() => body(i)) });
  }

  /** The statements of a body. */
  private inside(body: () => void): RoutineStmt[] {
    const outer = this.stmts;
    const inner: RoutineStmt[] = [];
    this.stmts = inner;
    body();
    this.stmts = outer;
    return inner;
  }

  /** Calls another routine. @returns its answer, an i32 */
  call(name: RoutineName, args: readonly Node[]): Node {
    const id = this.nextLocal++;
    this.stmts.push({ s: 'call', id, name, args });
    return { k: 'local', ty: 'i32', id };
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
