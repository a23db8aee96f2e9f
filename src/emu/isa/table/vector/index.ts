import type { Row } from '../../row.ts';
import { VECTOR_BITS } from './bits.ts';
import { VECTOR_COMPARE } from './compare.ts';
import { VECTOR_FLOAT } from './float.ts';
import { VECTOR_INTEGER } from './integer.ts';
import { VECTOR_MEMORY } from './memory.ts';
import { VECTOR_PERMUTE } from './permute.ts';
import { VECTOR_SHIFT } from './shift.ts';
import { VECTOR_WIDENING } from './widening.ts';

/** All of LSX and LASX. */
export const VECTOR: readonly Row[] = [
  ...VECTOR_INTEGER,
  ...VECTOR_WIDENING,
  ...VECTOR_SHIFT,
  ...VECTOR_BITS,
  ...VECTOR_COMPARE,
  ...VECTOR_PERMUTE,
  ...VECTOR_FLOAT,
  ...VECTOR_MEMORY,
];
