/** Parameters and fixed local variables of a region's function. */
import { Locals } from '../../wasm/emitter.ts';

const frame = new Locals();

/**
 * Parameters: the address of the CPU's state page, how many instructions may be executed, the virtual address of the
 * region's page.
 */
export const STATE_PAGE = frame.take('i32', 'state_page');
export const BUDGET = frame.take('i32', 'budget');
export const PAGE_VA = frame.take('i64', 'page_va');
/** Where the interpreter continues: the position in the page, and what is added to the budget again. */
export const SITE = frame.take('i32', 'site');
/** The software TLB for loads. The one for stores comes after it. */
export const DATA_TLB = frame.take('i32', 'data_tlb');
/** An entry of a software TLB. */
export const ENTRY = frame.take('i32', 'entry');
/** The number of the region at a target, or how often control has branched to the target. */
export const CELL = frame.take('i32', 'cell');
/** The mode word. */
export const MODE = frame.take('i32', 'mode');
/** The address of an access in linear memory. */
export const PLACE = frame.take('i32', 'place');
/** Virtual address of an access. */
export const VA = frame.take('i64', 'va');
/** The target of a computed jump, or of a jump to another page. */
export const TARGET = frame.take('i64', 'target');
/** What FCSR allows to forms of floating point (inline-float.ts, `pushUse`). */
export const FLOAT_USE = frame.take('i32', 'float_use');
/** The last floating-point operation: its code plus one, and its operands. */
export const PENDING = frame.take('i32', 'pending');
export const PENDING_OPERANDS = [
  frame.take('i64', 'pending_a'),
  frame.take('i64', 'pending_b'),
  frame.take('i64', 'pending_c'),
] as const;

const PARAMETERS = 3;
/** Types of the locals that are not parameters. */
export const FIXED = frame.all().slice(PARAMETERS);
export const NAMES = frame.names();
/** Index of the first local after them. */
export const FIRST_FREE = frame.all().length;
