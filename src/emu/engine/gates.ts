/**
 * Gates: how translated code executes the instructions after which control goes on elsewhere and in another mode: system calls,
 * breakpoints and `ertn`. A gate is a function like a region (translator/region-interface.ts), but a CPU's own. It executes the
 * instruction at STATE.pc by a routine of the CPU and goes on in the region at the new PC, so that none of it needs the interpreter.
 */
import { codeOf, EXCEPTIONS, type ExceptionName } from '../cpu/exception-table.ts';
import { After, type RoutineName } from '../cpu/helpers.ts';
import type { Stmt } from '../isa/semantics.ts';
import { cellOffset, FETCH_ENTRIES, type Pool, REGION, STATE } from '../memory/layout.ts';
import { Emitter, Locals } from '../wasm/emitter.ts';
import type { FuncDef } from '../wasm/module.ts';
import { Op } from '../wasm/opcodes.ts';
import { MAY_LINK, REGION_FUNCTION, RUN_ENDS } from './translator/region-interface.ts';

/** Frequent exceptions that come from instructions, do not change the world and have no bad address. */
const PLAIN: readonly ExceptionName[] = ['SYS', 'BRK'];

/** The Ecode that a call of helper `raise` raises, if it is a frequent one that routine `raisePlain` can raise. */
export function plainCode(code: number): number | undefined {
  const name = EXCEPTIONS[code]?.name;
  return name !== undefined && PLAIN.includes(name) ? codeOf(name) : undefined;
}

/** The gates, in the order of their places in the table of regions, and their routines. */
export const GATES = ['gateRaise', 'gateErtn'] as const;
export type GateName = (typeof GATES)[number];
const ROUTINE = { gateRaise: 'raisePlain', gateErtn: 'ertn' } as const satisfies Record<GateName, RoutineName>;

/** How a gate is entered: its name, and the argument of its routine. */
export interface Gate {
  readonly name: GateName;
  /** Ecode, for `gateRaise`. */
  readonly code: number;
  /** Is it for PLV0 only? The gate does not check that. */
  readonly privileged: boolean;
}

/** The gate that executes an instruction, by its recorded definition. */
export function gateOf(body: readonly Stmt[], privileged: boolean): Gate | undefined {
  const [call] = body;
  if (body.length !== 1 || call?.s !== 'call') return undefined;
  if (call.helper === 'ertn') return { name: 'gateErtn', code: 0, privileged };
  const code = call.helper === 'raise' ? plainCode(call.code) : undefined;
  return code === undefined ? undefined : { name: 'gateRaise', code, privileged };
}

interface GatePlan {
  /** The state page of the CPU. */
  readonly base: number;
  readonly pool: Pool;
  /** The function index of a routine. */
  routine(name: RoutineName): number;
  /** Indices of the type of regions, and of their table. */
  readonly regionType: number;
  readonly regionTable: number;
}

/** The functions of the gates. Parameters: state page, Ecode, nothing. PC and budget are those of the instruction, in the state page. */
export const gateFunctions = (plan: GatePlan): readonly FuncDef[] => GATES.map((name) => emitGate(name, plan));

function emitGate(name: GateName, { base, pool, routine, regionType, regionTable }: GatePlan): FuncDef {
  const locals = new Locals();
  const [state, code] = [locals.take('i32'), locals.take('i32')];
  locals.take('i64');
  const first = locals.all().length;
  const [after, left, entry, cell] = [locals.take('i32'), locals.take('i32'), locals.take('i32'), locals.take('i32')];
  const target = locals.take('i64');
  const e = new Emitter();
  // after = routine(code)
  if (name === 'gateRaise') e.get(code);
  e.call(routine(ROUTINE[name])).set(after);
  // state.left = left = state.left − 1
  e.get(state).get(state).mem(Op.i32Load, STATE.left).i32(1).op(Op.i32Sub).tee(left).mem(Op.i32Store, STATE.left);
  // if (after != arrived) return RUN_ENDS
  e.get(after).i32(After.arrived).op(Op.i32Ne);
  const ends = e.if();
  e.i32(RUN_ENDS).op(Op.return);
  e.end(ends);
  // entry = fetchTlb + (pc >> 12 & entries − 1) × 16; if (entry.tag == (pc & ~0xffc))
  e.get(state).mem(Op.i64Load, STATE.pc).tee(target).i64(12n).op(Op.i64ShrU, Op.i32WrapI64);
  e.i32(FETCH_ENTRIES - 1)
    .op(Op.i32And)
    .i32(4)
    .op(Op.i32Shl)
    .get(state)
    .mem(Op.i32Load, STATE.fetchTlb)
    .op(Op.i32Add);
  e.tee(entry).mem(Op.i64Load, 0).get(target).i64(~0xffcn).op(Op.i64And).op(Op.i64Eq);
  const hit = e.if();
  // cell = cells[(entry.uops + (pc & 0xffc) × 2) >> 2]
  e.get(entry).mem(Op.i32Load, 8).get(target).op(Op.i32WrapI64).i32(0xffc).op(Op.i32And).i32(1).op(Op.i32Shl);
  e.op(Op.i32Add).i32(2).op(Op.i32ShrU).mem(Op.i32Load16U, cellOffset(pool)).tee(cell);
  // if (cell >= REGION) return regions[cell − REGION](state, left, pc & ~0xfff)
  e.i32(REGION).op(Op.i32GeU);
  const region = e.if();
  e.i32(base).get(left).get(target).i64(~0xfffn).op(Op.i64And);
  e.get(cell).i32(REGION).op(Op.i32Sub).returnCallIndirect(regionType, regionTable);
  e.end(region);
  e.end(hit);
  e.i32(MAY_LINK).op(Op.end);
  return { name, type: REGION_FUNCTION, locals: locals.all().slice(first), body: e.bytes.view() };
}
