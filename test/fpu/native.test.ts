/** The native cases against the exact arithmetic: the same bits and the same flags, or no answer. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Native, nativeOperation } from '../../src/emu/softfloat/native.ts';
import { FCMP_CONDITIONS, type FpOperation, operate, operationCode } from '../../src/emu/softfloat/operations.ts';
import { seeded } from '../support/random.ts';

const view = new DataView(new ArrayBuffer(8));
/** The register as the operand kind of a native operation. */
const read = (kind: Native['from'], bits: bigint): number => {
  view.setBigUint64(0, bits, true);
  if (kind === 'd') return view.getFloat64(0, true);
  return kind === 's' ? view.getFloat32(0, true) : view.getInt32(0, true);
};
const write = (kind: Native['to'], x: number): bigint => {
  if (kind === 'x') return BigInt.asUintN(64, BigInt(x));
  if (kind === 'w') return BigInt.asUintN(32, BigInt(x));
  view.setBigUint64(0, ~0n, true);
  if (kind === 'd') view.setFloat64(0, x, true);
  else view.setFloat32(0, x, true);
  return view.getBigUint64(0, true);
};

const NAMES: readonly FpOperation[] = [
  ...(['fadd', 'fsub', 'fmul', 'fdiv', 'fsqrt', 'ftintrz.w', 'ftintrz.l', 'ffint.w', 'fcvt'] as const),
  ...Object.keys(FCMP_CONDITIONS).map((c) => `fcmp.${c}` as FpOperation),
];

const double = fc.oneof(
  fc.double(),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.integer().map((n) => n / 8),
  fc.integer({ min: -1100, max: 1023 }).map((n) => 2 ** n),
);
/** Registers that are interesting as doubles, as singles and as integers. */
const register = fc.oneof(
  double.map((x) => write('d', x)),
  double.map((x) => write('s', x)),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);

describe('native floating point', () => {
  for (const name of NAMES)
    for (const isDouble of [false, true])
      test(`${name} ${isDouble ? 'double' : 'single'}`, () => {
        const code = operationCode(name, isDouble);
        const native = nativeOperation(code)!;
        let answered = 0;
        fc.assert(
          fc.property(register, register, fc.boolean(), (a, other, twice) => {
            const b = twice ? a : other;
            const status = { rm: 0, flags: 0 } as const;
            const mine = { ...status } as { rm: 0; flags: number };
            const result = native.compute(mine, read(native.from, a), read(native.from, b));
            if (Number.isNaN(result)) return;
            answered++;
            const exact = { ...status } as { rm: 0; flags: number };
            expect(write(native.to, result)).toBe(operate(code, exact, a, b, 0n));
            expect(mine.flags).toBe(exact.flags);
          }),
          { numRuns: 4000 },
        );
        expect(answered).toBeGreaterThan(400);
      });

  test('agrees on millions of random operands', () => {
    const random = seeded(20261124);
    const special = [0, 0x7ff00000, 0x7f800000, 0x3ff00000, 0x3f800000, 0x80000000, 0xffffffff, 1, 0x41d00000];
    // Every fourth word is a special one; exponents of the rest lie near 1 half of the time.
    const word = (): number => {
      const kind = random() % 4;
      if (kind === 0) return special[random() % special.length]!;
      return kind === 1 ? random() >>> 0 : ((random() & 0x800fffff) | 0x3f800000) >>> 0;
    };
    const [mine, exact] = [
      { rm: 0, flags: 0 },
      { rm: 0, flags: 0 },
    ] as { rm: 0; flags: number }[];
    let compared = 0;
    const wrong: string[] = [];
    for (const name of NAMES)
      for (const isDouble of [false, true]) {
        const code = operationCode(name, isDouble);
        const native = nativeOperation(code)!;
        for (let n = 0; n < 40_000; n++) {
          const a = (BigInt(word()) << 32n) | BigInt(word());
          const b = n % 8 ? (BigInt(word()) << 32n) | BigInt(word()) : a;
          mine!.flags = 0;
          const result = native.compute(mine!, read(native.from, a), read(native.from, b));
          compared++;
          if (Number.isNaN(result)) continue;
          exact!.flags = 0;
          const want = operate(code, exact!, a, b, 0n);
          if (write(native.to, result) !== want || mine!.flags !== exact!.flags)
            wrong.push(`${name} ${isDouble ? 'd' : 's'} ${a.toString(16)} ${b.toString(16)}`);
        }
      }
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(compared).toBeGreaterThan(2_000_000);
  }, 120_000);
});
