/**
 * Floating point as generated code computes it in common cases, against the exact arithmetic: results, and the Cause that is worked out
 * afterwards. FCSR starts with the inexact flag, which is what the native forms wait for.
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
  ];
});

const bits64 = (x: number): bigint => new BigUint64Array(Float64Array.of(x).buffer)[0]!;
const bits32 = (x: number): bigint => BigInt(new Uint32Array(Float32Array.of(x).buffer)[0]!) | (0xffffffffn << 32n);

/** Registers: numbers near each other, of all sizes, special values, any bits. */
const register = (single: boolean): fc.Arbitrary<bigint> => {
  const bits = single ? bits32 : bits64;
  return fc.oneof(
    fc.integer({ min: -1000, max: 1000 }).map((n) => bits(n / 8)),
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

describe.each(['interpreter', 'jit'] as const satisfies readonly EngineKind[])(
  'native floating point, %s',
  (engine) => {
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
          m.cpu.setStateI32('fcsr', INEXACT);
          m.pc = CODE;
          // Regions run only with a large budget: go on in the loop of one branch behind it.
          m.run(engine === 'jit' ? 3000 : 3);
          expect(m.fpr(0)).toBe(BigInt.asUintN(64, wanted));
          expect(m.cpu.stateI32('fcsr') >>> 0).toBe((INEXACT | (status.flags << 24) | (status.flags << 16)) >>> 0);
        }),
        { numRuns: engine === 'jit' ? 150 : 400 },
      );
    });
  },
);

test('the forms are in use: TypeScript is not called, and Cause is right when FCSR is read', () => {
  const operate = vi.spyOn(Fpu.prototype, 'operate');
  const m = new TestMachine({ engine: 'interpreter', code: ['fadd.d $f0, $f1, $f2', 'movfcsr2gr $a0, $fcsr0'] });
  m.setHost({ EUEN: 7 });
  m.setFpr(1, bits64(1 / 3)).setFpr(2, bits64(1e-3));
  m.cpu.setStateI32('fcsr', INEXACT);
  m.run(2);
  expect(operate).not.toHaveBeenCalled();
  expect(m.get('a0')).toBe(0x1010000n);
  operate.mockRestore();
});
