import type { Row } from '../row.ts';
import { ARITHMETIC } from './arithmetic.ts';
import { ATOMIC } from './atomic.ts';
import { BITS } from './bits.ts';
import { BRANCH } from './branch.ts';
import { FLOAT } from './float.ts';
import { LBT_STATE } from './lbt.ts';
import { LVZ } from './lvz.ts';
import { MEMORY } from './memory.ts';
import { PRIVILEGED } from './privileged.ts';
import { VECTOR } from './vector/index.ts';

/** Every instruction of the machine. Decoder, disassembler, encoder and engine derive from this list. */
export const ROWS: readonly Row[] = [
  ...ARITHMETIC,
  ...BITS,
  ...MEMORY,
  ...ATOMIC,
  ...BRANCH,
  ...FLOAT,
  ...PRIVILEGED,
  ...LVZ,
  ...LBT_STATE,
  ...VECTOR,
];
