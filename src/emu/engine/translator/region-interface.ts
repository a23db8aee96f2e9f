/** What the interpreter and translated code agree on. */

import type { FuncType } from '../../wasm/module.ts';

/**
 * A region: code that was translated as one function. It runs from its first instruction with the CPU's state page, the
 * instruction budget and the virtual address of its page, and answers how it left; PC and what is left of the budget are
 * in the state page then.
 */
export const REGION_FUNCTION: FuncType = { params: ['i32', 'i32', 'i64'], results: ['i32'] };

/** Answer of a region: execution goes on at PC, where another region may begin. */
export const MAY_LINK = 0;
/** Answer of a region: the instruction at PC is one for the interpreter. */
export const MUST_INTERPRET = 1;
