/**
 * The floating-point operations of LSX and LASX by number: which operation, on which elements. The instruction table names them,
 * the unit (fpu/vector.ts) and the emitters perform them (Vol. 2, floating-point vector instructions).
 */
import { type Native, nativeOperation } from './native.ts';
import { elementOperation, type FpOperation, operationCode } from './operations.ts';
import type { Status } from './softfloat.ts';

/** How the elements of the operands correspond to the elements of a 128-bit result. */
export type Shape =
  /** The same place in every operand. */
  | 'each'
  /** From the low or the high half of vj, to twice the width. */
  | 'low'
  | 'high'
  /** To half the width: low half of the result from vk, high half from vj. */
  | 'narrow';

/** A vector operation, as the instruction table describes it. */
export interface VectorOperation {
  readonly name: FpOperation;
  /** The format that the operation works in. */
  readonly double: boolean;
  readonly shape: Shape;
  /** Element widths in bytes, of the operands and of the result. */
  readonly from: 2 | 4 | 8;
  readonly to: 2 | 4 | 8;
}

/** An operation with the arithmetic of one element. */
export interface VectorEntry extends VectorOperation {
  readonly compute: (s: Status, a: bigint, b: bigint, c: bigint) => bigint;
  readonly native: Native | undefined;
  /** A comparison: all bits of the element are set or clear. */
  readonly mask: boolean;
}

const ENTRIES: VectorEntry[] = [];

/** The code of an operation on `halves` × 128 bits, for the helper call. */
export function vectorCode(v: VectorOperation, halves: 1 | 2): number {
  let index = ENTRIES.findIndex(
    (e) => e.name === v.name && e.double === v.double && e.shape === v.shape && e.from === v.from && e.to === v.to,
  );
  if (index < 0)
    index =
      ENTRIES.push({
        ...v,
        compute: elementOperation(v.name, v.double),
        native: nativeOperation(operationCode(v.name, v.double)),
        mask: v.name.startsWith('fcmp'),
      }) - 1;
  return index * 2 + halves - 1;
}

/** The operation of a code, and how many 128-bit halves it works on. */
export function vectorOperation(code: number): { readonly operation: VectorOperation; readonly halves: number } {
  return { operation: ENTRIES[code >> 1]!, halves: (code & 1) + 1 };
}

/** The entry of a code, for the unit that carries it out. */
export const vectorEntry = (code: number): VectorEntry => ENTRIES[code >> 1]!;
