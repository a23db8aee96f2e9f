/** Fixed local variables of the interpreter's functions. */
import { Locals } from '../wasm/emitter.ts';

const frame = new Locals();

/** The parameter: the budget. At far jumps it is the rest of the budget. */
export const REM = frame.take('i32');
/** The micro-op that is being executed. */
export const P = frame.take('i32');
/** (X − P) / 8 is the rest of the budget. */
export const X = frame.take('i32');
/** The address of the instruction at P, less P / 2. */
export const PC_OFF = frame.take('i64');
/** The virtual address of an access, and its entry in a software TLB. */
export const VA = frame.take('i64');
export const ENTRY = frame.take('i32');
/** How far the instruction at P was executed: `After`, or the reason to leave the function. */
export const R = frame.take('i32');
/** The software TLBs of the current context. */
export const READ_TLB = frame.take('i32');
export const WRITE_TLB = frame.take('i32');
export const FETCH_TLB = frame.take('i32');
/** The address that a far jump goes to. */
export const TARGET = frame.take('i64');
/** The answer of a helper. */
export const AFTER = frame.take('i32');
/** How a region has left, until the code knows at which address it left. */
export const TARGET_KIND = frame.take('i32');
/** The micro-op of the computed jump that leads to TARGET, or 0. */
export const SOURCE = frame.take('i32');

const PARAMETERS = 1;
/** Types of the locals that are not parameters. */
export const FIXED = frame.all().slice(PARAMETERS);
/** Index of the first local after them. */
export const FIRST_FREE = frame.all().length;
