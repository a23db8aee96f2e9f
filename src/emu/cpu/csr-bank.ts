import { CSR_LIMIT } from '../memory/layout.ts';
import { CSRS, fieldMask } from './csr-table.ts';
import type { CpuFeatures } from './features.ts';

/** Write masks as 32-bit halves, indexed by CSR number: for the owner's own writes and for a root gcsr write. */
export interface CsrMasks {
  readonly ownLo: Int32Array;
  readonly ownHi: Int32Array;
  readonly rootLo: Int32Array;
  readonly rootHi: Int32Array;
}

/** The masks of a CPU with `features`. */
export function csrMasks(features: CpuFeatures): CsrMasks {
  const m = {
    ownLo: new Int32Array(CSR_LIMIT),
    ownHi: new Int32Array(CSR_LIMIT),
    rootLo: new Int32Array(CSR_LIMIT),
    rootHi: new Int32Array(CSR_LIMIT),
  };
  for (const row of CSRS) {
    const own = fieldMask(row, ['rw', 'w1', 'w1c'], features);
    const root = fieldMask(row, ['rw', 'w1', 'w1c', 'hw'], features);
    m.ownLo[row.num] = Number(BigInt.asIntN(32, own));
    m.ownHi[row.num] = Number(BigInt.asIntN(32, own >> 32n));
    m.rootLo[row.num] = Number(BigInt.asIntN(32, root));
    m.rootHi[row.num] = Number(BigInt.asIntN(32, root >> 32n));
  }
  return m;
}

/** The high half of an address whose bit 47 is copied to the bits above it: VALEN is 48. */
export const signOfVa = (hi: number): number => (hi << 16) >> 16;

/** The registers of one world as 32-bit halves, for reading: a CSR file, or a copy that a debugger has kept. */
export interface CsrHalves {
  lo(num: number): number;
  hi(num: number): number;
}

/**
 * One CSR file in the linear memory, as pairs of 32-bit halves. There are no checks and no side effects:
 * those are in csr-access.ts.
 */
export class CsrBank implements CsrHalves {
  private readonly i32: Int32Array;
  private readonly index: number;

  constructor(i32: Int32Array, base: number) {
    this.i32 = i32;
    this.index = base >> 2;
  }

  lo(num: number): number {
    return this.i32[this.index + num * 2]!;
  }

  hi(num: number): number {
    return this.i32[this.index + num * 2 + 1]!;
  }

  set(num: number, lo: number, hi: number): void {
    this.i32[this.index + num * 2] = lo;
    this.i32[this.index + num * 2 + 1] = hi;
  }

  setLo(num: number, lo: number): void {
    this.i32[this.index + num * 2] = lo;
  }

  /** Replaces the bits of `mask` in the low half. */
  update(num: number, mask: number, bits: number): void {
    const i = this.index + num * 2;
    this.i32[i] = (this.i32[i]! & ~mask) | (bits & mask);
  }

  /** The whole value; for debuggers and reports, not for running code. */
  get(num: number): bigint {
    return (BigInt(this.hi(num) >>> 0) << 32n) | BigInt(this.lo(num) >>> 0);
  }

  put(num: number, value: bigint): void {
    this.set(num, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  }

  /** The value as a number; exact below 2^53. */
  number(num: number): number {
    return (this.hi(num) >>> 0) * 0x100000000 + (this.lo(num) >>> 0);
  }

  /** Sets every register to its reset value. */
  reset(): void {
    for (let n = 0; n < CSR_LIMIT; n++) this.set(n, 0, 0);
    for (const row of CSRS) this.put(row.num, row.reset);
  }
}
