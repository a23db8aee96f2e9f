/**
 * Finds the instructions of a region: from its entry along direct branches and calls, inside the pages that are known to be
 * around it. Calls inside the region are jumps. Where the callee returns, the return points are among the successors.
 */

import { operandValue, type Row } from '../../isa/row.ts';
import { Semantics, type Stmt } from '../../isa/semantics.ts';
import { contains } from '../../isa/traits.ts';
import { UOPS_PER_PAGE } from '../../memory/layout.ts';
import { type Gate, gateOf } from '../gates.ts';
import { hasInlineCsr, isCsrHelper } from '../inline-csr.ts';
import { floatForm } from '../inline-float.ts';
import { readsTime } from '../inline-time.ts';
import { vectorForm } from '../inline-vector-float.ts';

/** The largest number of instructions of a region. */
export const MAX_INSTRUCTIONS = 160;
/** The largest number of places in the region that one computed jump is compared with. */
const MAX_TARGETS = 64;
const PAGE_POSITIONS_LOG = Math.log2(UOPS_PER_PAGE);

/** The page of a position, counted from the page in which the region begins. */
export const pageOf = (at: number): number => at >> PAGE_POSITIONS_LOG;
/** The place of a position inside its page. */
export const inPage = (at: number): number => at & (UOPS_PER_PAGE - 1);
/** The first position of page `distance`. */
export const pageStart = (distance: number): number => distance * UOPS_PER_PAGE;

export interface Instruction {
  /** Position: instructions from the start of the page in which the region begins. It may be negative. */
  readonly at: number;
  readonly word: number;
  readonly row: Row;
  readonly body: readonly Stmt[];
}

/** How a block ends. Targets are positions. They may be outside the region. */
export type Terminator =
  | { readonly kind: 'next'; readonly to: number }
  | { readonly kind: 'branch'; readonly taken: number; readonly next: number }
  /** A jump to a computed address. The targets in `likely` were seen or are expected. */
  | { readonly kind: 'jump'; readonly likely: readonly number[] }
  /** The interpreter must execute the instruction at `at`, or a gate. */
  | { readonly kind: 'stop'; readonly at: number; readonly gate: Gate | undefined };

export interface Block {
  readonly start: number;
  readonly instructions: readonly Instruction[];
  readonly end: Terminator;
}

/** The code that a region may consist of, by position. */
export interface Code {
  /** Is the page of a position known? The other functions with a position are only for such ones. */
  knows(at: number): boolean;
  /** Is it worth translating what is executed after a branch, which was taken or not? */
  worth(at: number, taken: boolean): boolean;
  word(at: number): number;
  /** The row of a word. Undefined when this CPU has no such instruction. */
  row(word: number): Row | undefined;
  /** Must translation stop before the instruction, for a breakpoint? */
  stopsAt(at: number): boolean;
  /** CSR_RULE bits of a register. */
  csrRules(num: number): number;
  /** Positions to which the computed jump at a position has jumped. */
  jumpTargets(at: number): readonly number[];
}

const bodies = new Map<Row, readonly Stmt[]>();

/** The recorded definition of a row. It is recorded once. */
export function bodyOf(row: Row): readonly Stmt[] {
  let body = bodies.get(row);
  if (!body) bodies.set(row, (body = Semantics.record(row.define)));
  return body;
}

/** Does translated code have its own form of this call? */
const isInline = (s: Extract<Stmt, { s: 'call' }>): boolean =>
  (s.helper === 'fpu' && floatForm(s.code) !== undefined) ||
  (s.helper === 'vectorFpu' && vectorForm(s.code) !== undefined);

const forInterpreter = new Map<Row, boolean>();

/**
 * Must the interpreter execute the instruction? Yes when it needs a helper, unless translated code has its own form.
 */
function needsInterpreter(row: Row, word: number, code: Code): boolean {
  const csr = bodyOf(row).find((s) => s.s === 'call' && isCsrHelper(s.helper));
  if (csr?.s === 'call' && isCsrHelper(csr.helper))
    return !hasInlineCsr(csr.helper, code.csrRules(operandValue(row, word, 'csr')));
  // The counter's number is written to a register that the region does not track, unless the number is not used.
  if (readsTime(bodyOf(row))) return operandValue(row, word, 'rj') !== 0;
  let known = forInterpreter.get(row);
  if (known === undefined) {
    const body = bodyOf(row);
    known =
      row.priv ||
      row.guest !== 'native' ||
      body.some((s) => s.s === 'call' && !isInline(s)) ||
      contains(body, 'setScr', 'setRj');
    forInterpreter.set(row, known);
  }
  return known;
}

const RETURN_REGISTER = 1;

/** Does the word write a register that must differ from one that it reads? Then it raises INE. */
function illegal(row: Row, word: number): boolean {
  if (row.distinct.length === 0) return false;
  const rd = operandValue(row, word, 'rd');
  return rd !== 0 && row.distinct.some((o) => operandValue(row, word, o) === rd);
}

type Branch = Extract<Stmt, { s: 'branch' }>;

/** The branch statement of an instruction, if it has one. */
export const branchOf = (i: Instruction): Branch | undefined => i.body.find((s) => s.s === 'branch');

const target = (i: Instruction, branch: Branch): number => i.at + operandValue(i.row, i.word, branch.operand) / 4;

/** Does the instruction write the address after it to the link register? Then control is expected to return there. */
const isCall = (i: Instruction): boolean => i.body.some((s) => s.s === 'setRa');

const isReturn = (i: Instruction): boolean =>
  i.row.name === 'jirl' &&
  operandValue(i.row, i.word, 'rd') === 0 &&
  operandValue(i.row, i.word, 'rj') === RETURN_REGISTER &&
  operandValue(i.row, i.word, 'offs16') === 0;

/**
 * The blocks of the region that begins at `entry`. The entry's block is the first.
 * @param limit the largest number of instructions
 */
export function discover(code: Code, entry: number, limit: number): Block[] {
  const found = new Map<number, Instruction>();
  /** Instructions that the interpreter must execute, or a gate. */
  const stops = new Map<number, Gate | undefined>();
  const leaders = new Set<number>([entry]);
  const work = [entry];
  const returnPoints: number[] = [];
  let returns = false;
  const go = (at: number, taken: boolean): void => {
    if (!code.knows(at) || !code.worth(at, taken)) return;
    leaders.add(at);
    work.push(at);
  };
  for (;;) {
    const next = work.shift();
    if (next === undefined) {
      if (!returns || returnPoints.length === 0) break;
      for (const at of returnPoints.splice(0)) go(at, true);
      continue;
    }
    for (let at = next; code.knows(at); at++) {
      // A block is in one page. Control goes on to the next page only by an edge, which is checked.
      if (at !== next && inPage(at) === 0) {
        go(at, false);
        break;
      }
      if (found.has(at) || stops.has(at)) break;
      if (found.size >= limit) break;
      const word = code.word(at);
      const row = code.stopsAt(at) ? undefined : code.row(word);
      if (!row || needsInterpreter(row, word, code) || illegal(row, word)) {
        stops.set(at, row && gateOf(bodyOf(row), row.priv));
        break;
      }
      const instruction = { at, word, row, body: bodyOf(row) };
      found.set(at, instruction);
      const branch = branchOf(instruction);
      if (branch) {
        const to = target(instruction, branch);
        if (isCall(instruction)) {
          if (code.knows(to) && code.knows(at + 1)) returnPoints.push(at + 1);
        } else if (branch.cond) {
          go(at + 1, false);
        }
        go(to, true);
        break;
      }
      if (instruction.body.some((s) => s.s === 'jump')) {
        returns ||= isReturn(instruction);
        for (const to of code.jumpTargets(at)) go(to, true);
        break;
      }
    }
  }
  // The positions to which a callee in this region may return.
  const calls = [...found.values()].filter((i) => isCall(i) && found.has(target(i, branchOf(i)!)));
  const known = calls.map((i) => i.at + 1).filter((at) => found.has(at) && leaders.has(at));
  const region: Region = { code, found, stops, leaders, returns: known };
  const blocks: Block[] = [];
  for (const start of [entry, ...[...leaders].filter((l) => l !== entry).sort((a, b) => a - b)]) {
    if (!found.has(start) && start !== entry) continue;
    blocks.push(blockAt(start, region));
  }
  return blocks;
}

/** What is known of a region before it is cut into blocks. */
interface Region {
  readonly code: Code;
  readonly found: ReadonlyMap<number, Instruction>;
  /** Instructions that the interpreter must execute, or a gate. */
  readonly stops: ReadonlyMap<number, Gate | undefined>;
  /** First instructions of blocks. */
  readonly leaders: ReadonlySet<number>;
  /** Where a callee in the region may return to. */
  readonly returns: readonly number[];
}

function blockAt(start: number, { code, found, stops, leaders, returns }: Region): Block {
  const instructions: Instruction[] = [];
  for (let at = start; ; at++) {
    if (stops.has(at)) return { start, instructions, end: { kind: 'stop', at, gate: stops.get(at) } };
    const i = found.get(at);
    if (!i || (at !== start && (leaders.has(at) || inPage(at) === 0)))
      return { start, instructions, end: { kind: 'next', to: at } };
    instructions.push(i);
    const branch = branchOf(i);
    if (branch) {
      const taken = target(i, branch);
      return {
        start,
        instructions,
        end: branch.cond ? { kind: 'branch', taken, next: at + 1 } : { kind: 'next', to: taken },
      };
    }
    if (i.body.some((s) => s.s === 'jump')) {
      const likely = new Set([...code.jumpTargets(i.at), ...(isReturn(i) ? returns : [])].filter((t) => found.has(t)));
      return { start, instructions, end: { kind: 'jump', likely: [...likely].slice(0, MAX_TARGETS) } };
    }
  }
}
