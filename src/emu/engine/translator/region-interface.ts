/** The interface between the interpreter and translated code. */

import type { FuncType } from '../../wasm/module.ts';

/**
 * A region: code that was translated as one function. It runs from its first instruction. Its parameters are the CPU's
 * state page, the instruction budget and the virtual address of its page. It returns how it left. Then PC and the
 * rest of the budget are in the state page.
 */
export const REGION_FUNCTION: FuncType = { params: ['i32', 'i32', 'i64'], results: ['i32'] };

/** Answer of a region: execution continues at PC, where another region may begin. */
export const MAY_LINK = 0;
/** Answer of a region: the interpreter must execute the instruction at PC. */
export const MUST_INTERPRET = 1;
/** Answer of a gate (gates.ts): running code must be left, because an interrupt or a stop is due. */
export const RUN_ENDS = 2;

/** The interpreter asks after so many branches to an instruction whether it is hot, and again after as many: a power of two. */
export const BRANCHES_TO_ASK = 1024;
