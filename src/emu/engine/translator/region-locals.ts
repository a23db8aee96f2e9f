/** Parameters and fixed local variables of a region's function. */
import { Locals } from '../../wasm/emitter.ts';

const frame = new Locals();

/** Parameters: address of the CPU's state page, instructions that may be executed, virtual address of the region's page. */
export const STATE_PAGE = frame.take('i32', 'state_page');
export const BUDGET = frame.take('i32', 'budget');
export const PAGE_VA = frame.take('i64', 'page_va');
/** Where the interpreter goes on: the position in the page, and what goes back to the budget. */
export const SITE = frame.take('i32', 'site');
/** The software TLB for loads; the one for stores lies behind it. */
export const DATA_TLB = frame.take('i32', 'data_tlb');
/** An entry of a software TLB. */
export const ENTRY = frame.take('i32', 'entry');
/** Number of the region at a target, or how often the target was branched to. */
export const CELL = frame.take('i32', 'cell');
/** The mode word. */
export const MODE = frame.take('i32', 'mode');
/** Where an access is in linear memory. */
export const PLACE = frame.take('i32', 'place');
/** Virtual address of an access. */
export const VA = frame.take('i64', 'va');
/** Address that a computed jump, or one to another page, goes to. */
export const TARGET = frame.take('i64', 'target');
/** Not 0: FCSR is in a state in which floating point goes the exact way. */
export const NOT_QUIET = frame.take('i32', 'not_quiet');
/** The last floating-point operation: one more than its code, and its operands. */
export const PENDING = frame.take('i32', 'pending');
export const PENDING_OPERANDS = [
  frame.take('i64', 'pending_a'),
  frame.take('i64', 'pending_b'),
  frame.take('i64', 'pending_c'),
] as const;

const PARAMETERS = 3;
/** Types of those that are no parameters. */
export const FIXED = frame.all().slice(PARAMETERS);
export const NAMES = frame.names();
/** Index of the first local behind them. */
export const FIRST_FREE = frame.all().length;
