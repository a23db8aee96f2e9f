/** Parameters and fixed local variables of a region's function. */
import type { Ty } from '../../wasm/opcodes.ts';

export const STATE_PAGE = 0;
export const BUDGET = 1;
export const PAGE_VA = 2;
export const SITE = 3;
export const DATA_TLB = 4;
export const ENTRY = 5;
export const CELL = 6;
export const MODE = 7;
export const PLACE = 8;
export const VA = 9;
export const TARGET = 10;
/** Not 0: FCSR is in a state in which floating point goes the exact way. */
export const NOT_QUIET = 11;
/** The last floating-point operation: one more than its code, and its operands. */
export const PENDING = 12;
export const PENDING_OPERANDS = [13, 14, 15] as const;
export const FIXED: readonly Ty[] = [
  ...(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i64', 'i64', 'i32', 'i32', 'i64', 'i64', 'i64'] as const),
];
export const FIRST_FREE = 3 + FIXED.length;
