/** Fused multiply-add from plain operations, for hosts that have none: against the exact arithmetic. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fmaFunctions } from '../../src/emu/engine/fma.ts';
import { operate, operationCode } from '../../src/emu/softfloat/operations.ts';

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const functions = fmaFunctions(memory, false) as Record<string, unknown> as Record<
  'fma' | 'fmaSingle',
  (a: number, b: number, c: number) => number
>;
const bits64 = (x: number): bigint => new BigUint64Array(Float64Array.of(x).buffer)[0]!;
const bits32 = (x: number): bigint => BigInt(new Uint32Array(Float32Array.of(x).buffer)[0]!);

/** Numbers whose products and sums cancel, and others. */
const near = fc.oneof(
  fc.integer({ min: -4096, max: 4096 }).map((n) => 1 + n * 2 ** -52),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e100, max: 1e100 }),
  fc.integer({ min: -100, max: 100 }),
);

test('doubles: exact, or a NaN for what is not covered', () => {
  let covered = 0;
  fc.assert(
    fc.property(near, near, near, fc.boolean(), (a, b, x, cancel) => {
      const c = cancel ? -(a * b) : x;
      const r = functions.fma(a, b, c);
      if (Number.isNaN(r)) return;
      covered++;
      const exact = operate(operationCode('fmadd', true), { rm: 0, flags: 0 }, bits64(a), bits64(b), bits64(c));
      expect(bits64(r)).toBe(BigInt.asUintN(64, exact));
    }),
    { numRuns: 5000 },
  );
  expect(covered).toBeGreaterThan(2000);
});

test('singles: exact', () => {
  const single = near.map(Math.fround).filter((x) => Number.isFinite(x) && (x === 0 || Math.abs(x) > 1e-15));
  fc.assert(
    fc.property(single, single, single, (a, b, c) => {
      const r = functions.fmaSingle(a, b, c);
      const exact = operate(operationCode('fmadd', false), { rm: 0, flags: 0 }, bits32(a), bits32(b), bits32(c));
      expect(bits32(r)).toBe(BigInt.asUintN(32, exact));
    }),
    { numRuns: 5000 },
  );
});
