/** Fixed local variables of the interpreter's functions; parameter 0 is the budget and becomes what is left at far jumps. */
import type { Ty } from '../wasm/opcodes.ts';

export const REM = 0;
export const P = 1;
export const X = 2;
export const PC_OFF = 3;
export const VA = 4;
export const ENTRY = 5;
export const R = 6;
export const READ_TLB = 7;
export const WRITE_TLB = 8;
export const FETCH_TLB = 9;
export const TARGET = 10;
export const AFTER = 11;
/** How a region has left, until the place where it did is found. */
export const TARGET_KIND = 12;
/** The micro-op of the computed jump that leads to TARGET, or 0. */
export const SOURCE = 13;
export const FIXED: readonly Ty[] = [
  'i32',
  'i32',
  'i64',
  'i64',
  'i32',
  'i32',
  'i32',
  'i32',
  'i32',
  'i64',
  'i32',
  'i32',
  'i32',
];
