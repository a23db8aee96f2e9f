/** The exact arithmetic against the machine's own IEEE arithmetic, and its rules where IEEE leaves a choice. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as f from '../../src/emu/softfloat/softfloat.ts';
import { DOUBLE, FLAG, ROUND, SINGLE } from '../../src/emu/softfloat/softfloat.ts';

const view = new DataView(new ArrayBuffer(8));
const toBits = (x: number): bigint => {
  view.setFloat64(0, x);
  return view.getBigUint64(0);
};
const toNumber = (x: bigint): number => {
  view.setBigUint64(0, x);
  return view.getFloat64(0);
};
const singleBits = (x: number): bigint => {
  view.setFloat32(0, x);
  return BigInt(view.getUint32(0));
};
const status = (rm: f.RoundMode = ROUND.nearestEven): f.Status => ({ rm, flags: 0 });
/** Equal as values, any NaN like another. */
const same = (got: bigint, want: number): void => {
  if (Number.isNaN(want)) expect(f.isNan(DOUBLE, got)).toBe(true);
  else expect(got).toBe(toBits(want));
};
const double = fc.oneof(fc.double(), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(toNumber));

describe('exact arithmetic against native doubles', () => {
  const runs = { numRuns: 30_000 };
  test('add, sub, mul, div', () => {
    fc.assert(
      fc.property(double, double, (a, b) => {
        const [x, y] = [toBits(a), toBits(b)];
        same(f.add(DOUBLE, status(), x, y), a + b);
        same(f.sub(DOUBLE, status(), x, y), a - b);
        same(f.mul(DOUBLE, status(), x, y), a * b);
        same(f.div(DOUBLE, status(), x, y), a / b);
      }),
      runs,
    );
  });

  test('sqrt, and conversion to single', () => {
    fc.assert(
      fc.property(double, (a) => {
        same(f.sqrt(DOUBLE, status(), toBits(a)), Math.sqrt(a));
        if (!Number.isNaN(a)) expect(f.convert(DOUBLE, SINGLE, status(), toBits(a))).toBe(singleBits(Math.fround(a)));
      }),
      runs,
    );
  });

  test('single operations equal double ones rounded once', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) => {
        const [x, y] = [singleBits(a), singleBits(b)];
        const want = [Math.fround(a + b), Math.fround(a * b)];
        const got = [f.add(SINGLE, status(), x, y), f.mul(SINGLE, status(), x, y)];
        want.forEach((w, i) => {
          if (!Number.isNaN(w)) expect(got[i]).toBe(singleBits(w));
        });
      }),
      runs,
    );
  });

  test('a fused multiply-add of exact products is a plain sum, and rounds once otherwise', () => {
    const [a, b, c] = [toBits(1 + 2 ** -52), toBits(1 - 2 ** -52), toBits(-1)];
    // The product is 1 − 2^−104: rounded first it would be 1, and the sum 0.
    expect(toNumber(f.mulAdd(DOUBLE, status(), a, b, c))).toBe(-(2 ** -104));
  });

  test('directed rounding brackets the exact result', () => {
    fc.assert(
      fc.property(double, double, (a, b) => {
        if (!Number.isFinite(a / b) || a / b === 0) return;
        const at = (rm: f.RoundMode): number => toNumber(f.div(DOUBLE, status(rm), toBits(a), toBits(b)));
        const [down, near, up] = [at(ROUND.down), at(ROUND.nearestEven), at(ROUND.up)];
        expect(down <= near && near <= up).toBe(true);
        expect([down, up]).toContain(at(ROUND.towardZero));
      }),
      { numRuns: 5000 },
    );
  });

  test('integers go there and back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 53n), max: 1n << 53n }), (v) => {
        const s = status();
        expect(f.toInteger(DOUBLE, s, f.fromInteger(DOUBLE, s, v), 64n)).toBe(v);
        expect(s.flags).toBe(0);
      }),
    );
  });
});

describe('flags and rules', () => {
  // Manual: 3.1.4.1, 3.1.4.2, 3.1.4.3, 3.1.4.4, 3.1.4.5
  test('each flag has its cause', () => {
    const flagsOf = (run: (s: f.Status) => void): number => {
      const s = status();
      run(s);
      return s.flags;
    };
    const [one, zero, inf, tiny, huge, third] = [1, 0, Number.POSITIVE_INFINITY, 2 ** -1074, Number.MAX_VALUE, 3].map(
      toBits,
    ) as [bigint, bigint, bigint, bigint, bigint, bigint];
    expect(flagsOf((s) => f.add(DOUBLE, s, one, one))).toBe(0);
    expect(flagsOf((s) => f.div(DOUBLE, s, one, third))).toBe(FLAG.inexact);
    expect(flagsOf((s) => f.div(DOUBLE, s, one, zero))).toBe(FLAG.divideByZero);
    expect(flagsOf((s) => f.div(DOUBLE, s, zero, zero))).toBe(FLAG.invalid);
    expect(flagsOf((s) => f.sub(DOUBLE, s, inf, inf))).toBe(FLAG.invalid);
    expect(flagsOf((s) => f.mul(DOUBLE, s, huge, huge))).toBe(FLAG.overflow | FLAG.inexact);
    expect(flagsOf((s) => f.div(DOUBLE, s, tiny, third))).toBe(FLAG.underflow | FLAG.inexact);
    expect(flagsOf((s) => f.mul(DOUBLE, s, tiny, one))).toBe(0); // exact and tiny: no underflow
    expect(flagsOf((s) => f.sqrt(DOUBLE, s, toBits(-1)))).toBe(FLAG.invalid);
  });

  // Manual: 3.1.1.3
  test('NaNs: signalling first, then the first operand; the default NaN is positive and quiet', () => {
    const [qa, qb, sb] = [0x7ff8000000000001n, 0xfff8000000000002n, 0x7ff0000000000003n];
    expect(f.add(DOUBLE, status(), qa, qb)).toBe(qa);
    expect(f.add(DOUBLE, status(), qa, sb)).toBe(0x7ff8000000000003n);
    const s = status();
    expect(f.sub(DOUBLE, s, f.infinity(DOUBLE, false), f.infinity(DOUBLE, false))).toBe(0x7ff8000000000000n);
    expect(f.extreme(DOUBLE, status(), qa, toBits(1), false, false)).toBe(toBits(1));
  });
});
