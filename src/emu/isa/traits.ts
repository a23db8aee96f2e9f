import type { Row } from './row.ts';
import { Semantics, type Stmt } from './semantics.ts';

/** Properties of an instruction for other layers, derived from its definition. */
export interface Traits {
  /** Execution never simply continues at the next instruction. */
  readonly endsBlock: boolean;
  /** May leave with an exception or a stop. */
  readonly mayTrap: boolean;
  /** Reads or writes memory at a virtual address. */
  readonly accessesMemory: boolean;
  /** Changes the TLBs. */
  readonly touchesTlb: boolean;
}

/** True when a statement of one of `kinds` occurs, in any branch. */
export function contains(body: readonly Stmt[], ...kinds: readonly Stmt['s'][]): boolean {
  return body.some(
    (s) => kinds.includes(s.s) || (s.s === 'if' && (contains(s.yes, ...kinds) || contains(s.no, ...kinds))),
  );
}

/** May an instruction store to memory? */
export const storesMemory = (row: Row): boolean =>
  contains(Semantics.record(row.define), 'store', 'storeVector', 'poke', 'update', 'compareExchange', 'storeLinked');

const TLB_HELPER = /^g?tlb(wr|fill|clr|flush)$|^invtlb$/;
/** Helpers after which execution always continues at the next instruction. */
const QUIET_HELPERS = new Set(['crc', 'ibar']);

/** The traits of a row. */
export function traitsOf(row: Row): Traits {
  const body = Semantics.record(row.define);
  const calls = body.flatMap((s) => (s.s === 'call' ? [s.helper] : []));
  const accessesMemory = contains(body, 'load', 'store', 'linear');
  // A call inside a branch of the definition raises an exception; one outside may be a harmless computation.
  const callsOut = calls.length ? !calls.every((c) => QUIET_HELPERS.has(c)) : contains(body, 'call');
  return {
    endsBlock: contains(body, 'branch', 'jump') || calls.includes('ertn') || calls.includes('raise'),
    mayTrap: row.priv || row.guest !== 'native' || row.distinct.length > 0 || accessesMemory || callsOut,
    accessesMemory,
    touchesTlb: calls.some((c) => TLB_HELPER.test(c)),
  };
}
