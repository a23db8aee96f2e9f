/**
 * Floating point as generated code computes it in common cases, against the exact arithmetic: results, and the Cause that is worked out
 * afterwards. Where FCSR starts with the inexact flag, the native forms apply; where it does not, those without a rounding error.
 */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { Fpu } from '../../src/emu/fpu/fpu.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { type FpOperation, operate, operationCode } from '../../src/emu/softfloat/operations.ts';
import type { Status } from '../../src/emu/softfloat/softfloat.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const INEXACT = 0x10000;

/** Instructions with a native form: the mnemonic, its operation, how many operands it has. */
const CASES: readonly (readonly [mnemonic: string, operation: FpOperation, double: boolean, operands: 1 | 2 | 3])[] = [
  false,
  true,
].flatMap((double) => {
  const w = double ? 'd' : 's';
  return [
    ...(['fadd', 'fsub', 'fmul', 'fdiv'] as const).map((n) => [`${n}.${w}`, n, double, 2] as const),
    ...(['fsqrt', 'frecip'] as const).map((n) => [`${n}.${w}`, n, double, 1] as const),
    ...(['fmadd', 'fmsub', 'fnmadd', 'fnmsub'] as const).map((n) => [`${n}.${w}`, n, double, 3] as const),
    ...(['', 'rne', 'rz', 'rm', 'rp'] as const).flatMap((r) =>
      (['w', 'l'] as const).map((i) => [`ftint${r}.${i}.${w}`, `ftint${r}.${i}` as FpOperation, double, 1] as const),
    ),
    ...(['w', 'l'] as const).map((i) => [`ffint.${w}.${i}`, `ffint.${i}` as FpOperation, double, 1] as const),
    [double ? 'fcvt.d.s' : 'fcvt.s.d', 'fcvt', double, 1] as const,
    [`fclass.${w}`, 'fclass', double, 1] as const,
  ];
});

const bits64 = (x: number): bigint => new BigUint64Array(Float64Array.of(x).buffer)[0]!;
const bits32 = (x: number): bigint => BigInt(new Uint32Array(Float32Array.of(x).buffer)[0]!) | (0xffffffffn << 32n);

/** Registers: numbers near each other, of all sizes, special values, any bits. */
const register = (single: boolean): fc.Arbitrary<bigint> => {
  const bits = single ? bits32 : bits64;
  return fc.oneof(
    fc.integer({ min: -1000, max: 1000 }).map((n) => bits(n / 8)),
    fc.integer({ min: -1000, max: 1000 }).map((n) => bits(n)),
    fc
      .tuple(
        fc.integer({ min: -99, max: 99 }),
        fc.integer(single ? { min: -140, max: 120 } : { min: -1070, max: 1015 }),
      )
      .map(([n, e]) => bits(n * 2 ** e)),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }).map(bits),
    fc
      .constantFrom(
        0,
        -0,
        1,
        -1,
        0.5,
        2 ** -126,
        2 ** -149,
        2 ** -1022,
        2 ** -1074,
        1e308,
        -1e308,
        2 ** 31,
        2 ** 63,
        1 / 3,
      )
      .map(bits),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY).map(bits),
    fc.double().map(bits),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((b) => (single ? (b & 0xffffffffn) | (0xffffffffn << 32n) : b)),
  );
};

const ENGINES = ['interpreter', 'jit'] as const satisfies readonly EngineKind[];
describe.each(ENGINES.flatMap((engine) => [INEXACT, 0].map((before) => ({ engine, before }))))(
  'native floating point, $engine, FCSR $before',
  ({ engine, before }) => {
    const m = new TestMachine({ engine });
    m.setHost({ EUEN: 7 });

    test.each(CASES)('%s', (mnemonic, operation, double, operands) => {
      const code = operationCode(operation, double);
      const single = operation === 'fcvt' ? double : !double;
      const names = ['$f1', '$f2', '$f3'].slice(0, operands).join(', ');
      // The branch makes the translator begin a region at the instruction.
      m.code(CODE, ['b 4', `${mnemonic} $f0, ${names}`, 'b 4']);
      const value = operation.startsWith('ffint') ? register(false) : register(single);
      fc.assert(
        fc.property(value, value, value, (a, b, c) => {
          const status: Status = { rm: 0, flags: 0 };
          const wanted = operate(code, status, a, b, c);
          m.setFpr(1, a).setFpr(2, b).setFpr(3, c);
          m.cpu.setStateI32('fcsr', before);
          m.pc = CODE;
          // Regions run only with a large budget: go on in the loop of one branch behind it.
          m.run(engine === 'jit' ? 3000 : 3);
          expect(m.fpr(0)).toBe(BigInt.asUintN(64, wanted));
          expect(m.cpu.stateI32('fcsr') >>> 0).toBe((before | (status.flags << 24) | (status.flags << 16)) >>> 0);
        }),
        { numRuns: engine === 'jit' ? 150 : 400 },
      );
    });
  },
);

/** Runs `instruction` on $f1 to $f3 = a, b, c. @returns was TypeScript called, and the FCSR that software reads */
function used(instruction: string, fcsr: number, [a, b, c]: readonly number[]): { called: boolean; read: bigint } {
  const operate = vi.spyOn(Fpu.prototype, 'operate');
  const m = new TestMachine({ engine: 'interpreter', code: [instruction, 'movfcsr2gr $a0, $fcsr0'] });
  m.setHost({ EUEN: 7 });
  m.setFpr(1, bits64(a!))
    .setFpr(2, bits64(b!))
    .setFpr(3, bits64(c ?? 0));
  m.cpu.setStateI32('fcsr', fcsr);
  m.run(2);
  const called = operate.mock.calls.length > 0;
  operate.mockRestore();
  return { called, read: m.get('a0') };
}

test('the forms are in use: TypeScript is not called, and Cause is right when FCSR is read', () => {
  expect(used('fadd.d $f0, $f1, $f2', INEXACT, [1 / 3, 1e-3])).toEqual({ called: false, read: 0x1010000n });
});

test.each([
  ['fadd.d $f0, $f1, $f2', [3, 0.25]],
  ['fsub.d $f0, $f1, $f2', [3, 3]],
  ['fmul.d $f0, $f1, $f2', [1 + 2 ** -20, 1 - 2 ** -20]],
  ['fmul.d $f0, $f1, $f2', [0, 5]],
  ['fdiv.d $f0, $f1, $f2', [21, 8]],
  ['fmadd.d $f0, $f1, $f2, $f3', [10, 12345, 6]],
  ['fnmsub.d $f0, $f1, $f2, $f3', [10, 12345, 6]],
  ['ftintrz.l.d $f0, $f1', [41, 0]],
  ['fcmp.slt.d $fcc0, $f1, $f2', [1, 2]],
] as const)(
  'without the inexact flag they are in use for what has no rounding error: %s of %j',
  (instruction, values) => {
    expect(used(instruction, 0, values)).toEqual({ called: false, read: 0n });
  },
);

test.each([
  ['fadd.d $f0, $f1, $f2', [1, 2 ** -60]],
  ['fmul.d $f0, $f1, $f2', [1 + 2 ** -30, 1 + 2 ** -30]],
  ['fdiv.d $f0, $f1, $f2', [1, 3]],
  ['fsqrt.d $f0, $f1', [2, 0]],
  ['fmadd.d $f0, $f1, $f2, $f3', [1 + 2 ** -30, 1 + 2 ** -30, 1]],
  ['ftintrz.l.d $f0, $f1', [41.5, 0]],
  ['fcvt.s.d $f0, $f1', [1 / 3, 0]],
] as const)('and a rounding error is seen: %s of %j', (instruction, values) => {
  expect(used(instruction, 0, values).read).toBe(0x1010000n);
});
