/** Floating point of vectors (LSX and LASX); the arithmetic is that of the scalar unit: fpu/vector.ts. */
import type { FeatureName } from '../../../cpu/features.ts';
import { FCMP_CONDITIONS, type FpOperation } from '../../../softfloat/operations.ts';
import { type VectorOperation, vectorCode } from '../../../softfloat/vector-operations.ts';
import type { Row } from '../../row.ts';
import { both, FOUR, type Operands, THREE, TWO } from './family.ts';

const compute = (
  name: string,
  word: number,
  operands: Operands,
  operation: VectorOperation,
  lasxWord?: number,
  ext?: FeatureName,
): Row[] =>
  both(
    name,
    word,
    operands,
    (s, unit) => {
      s.call('vectorFpu', vectorCode(operation, unit === 'lsx' ? 1 : 2));
    },
    lasxWord,
    ext,
  );

const each = (name: FpOperation, double: boolean): VectorOperation => ({
  name,
  double,
  shape: 'each',
  from: double ? 8 : 4,
  to: double ? 8 : 4,
});

/** Single and double rows, the opcodes `step` apart. */
const pair = (
  name: string,
  first: number,
  step: number,
  operands: Operands,
  operation = name.slice(1),
  ext?: FeatureName,
): Row[] =>
  [false, true].flatMap((double, i) =>
    compute(
      `${name}.${double ? 'd' : 's'}`,
      first + i * step,
      operands,
      each(operation as FpOperation, double),
      undefined,
      ext,
    ),
  );
const three = (name: string, first: number): Row[] => pair(name, first, 0x8000, THREE);
const two = (name: string, first: number, operation?: string, ext?: FeatureName): Row[] =>
  pair(name, first, 0x400, TWO, operation, ext);
const fused = (name: string, first: number): Row[] =>
  [false, true].flatMap((double, i) =>
    compute(
      `${name}.${double ? 'd' : 's'}`,
      first + i * 0x100000,
      FOUR,
      each(name.slice(1) as FpOperation, double),
      first + i * 0x100000 + 0x01000000,
    ),
  );

/** A conversion of two registers whose elements keep their width. */
const convert = (name: string, word: number, operation: FpOperation, double: boolean): Row[] =>
  compute(name, word, TWO, each(operation, double));

/** From the low (`l`) or high (`h`) half, to elements twice as wide. */
const widen = (
  name: (half: 'l' | 'h') => string,
  first: number,
  operation: Pick<VectorOperation, 'name' | 'double' | 'from' | 'to'>,
): Row[] =>
  (['l', 'h'] as const).flatMap((half, i) =>
    compute(name(half), first + i * 0x400, TWO, { ...operation, shape: half === 'l' ? 'low' : 'high' }),
  );

/** vk and vj to the low and high half, elements half as wide. */
const narrow = (name: string, word: number, operation: FpOperation, double: boolean, from: 4 | 8): Row[] =>
  compute(name, word, THREE, { name: operation, double, shape: 'narrow', from, to: from === 8 ? 4 : 2 });

const ROUNDINGS = ['', 'rm', 'rp', 'rz', 'rne'] as const;

export const VECTOR_FLOAT: readonly Row[] = [
  ...three('vfadd', 0x71308000),
  ...three('vfsub', 0x71328000),
  ...three('vfmul', 0x71388000),
  ...three('vfdiv', 0x713a8000),
  ...three('vfmax', 0x713c8000),
  ...three('vfmin', 0x713e8000),
  ...three('vfmaxa', 0x71408000),
  ...three('vfmina', 0x71428000),
  ...fused('vfmadd', 0x09100000),
  ...fused('vfmsub', 0x09500000),
  ...fused('vfnmadd', 0x09900000),
  ...fused('vfnmsub', 0x09d00000),
  ...two('vflogb', 0x729cc400),
  ...two('vfclass', 0x729cd400),
  ...two('vfsqrt', 0x729ce400),
  ...two('vfrecip', 0x729cf400),
  ...two('vfrsqrt', 0x729d0400),
  // The approximations give the rounded exact result, as the scalar ones.
  ...two('vfrecipe', 0x729d1400, 'frecip', 'frecipe'),
  ...two('vfrsqrte', 0x729d2400, 'frsqrt', 'frecipe'),
  ...two('vfrint', 0x729d3400),
  ...two('vfrintrm', 0x729d4400),
  ...two('vfrintrp', 0x729d5400),
  ...two('vfrintrz', 0x729d6400),
  ...two('vfrintrne', 0x729d7400),
  ...widen((half) => `vfcvt${half}.s.h`, 0x729de800, { name: 'fcvt.s.h', double: false, from: 2, to: 4 }),
  ...widen((half) => `vfcvt${half}.d.s`, 0x729df000, { name: 'fcvt', double: true, from: 4, to: 8 }),
  ...narrow('vfcvt.h.s', 0x71460000, 'fcvt.h', false, 4),
  ...narrow('vfcvt.s.d', 0x71468000, 'fcvt', false, 8),
  ...convert('vffint.s.w', 0x729e0000, 'ffint.w', false),
  ...convert('vffint.s.wu', 0x729e0400, 'ffint.wu', false),
  ...convert('vffint.d.l', 0x729e0800, 'ffint.l', true),
  ...convert('vffint.d.lu', 0x729e0c00, 'ffint.lu', true),
  ...widen((half) => `vffint${half}.d.w`, 0x729e1000, { name: 'ffint.w', double: true, from: 4, to: 8 }),
  ...narrow('vffint.s.l', 0x71480000, 'ffint.l', false, 8),
  ...ROUNDINGS.flatMap((rounding, i) => {
    const base = 0x729e3000 + i * 0x800;
    return [
      ...convert(`vftint${rounding}.w.s`, base, `ftint${rounding}.w`, false),
      ...convert(`vftint${rounding}.l.d`, base + 0x400, `ftint${rounding}.l`, true),
      ...widen((half) => `vftint${rounding}${half}.l.s`, 0x729e8000 + i * 0x800, {
        name: `ftint${rounding}.l`,
        double: false,
        from: 4,
        to: 8,
      }),
      ...narrow(`vftint${rounding}.w.d`, 0x71498000 + i * 0x8000, `ftint${rounding}.w`, true, 8),
    ];
  }),
  ...convert('vftint.wu.s', 0x729e5800, 'ftint.wu', false),
  ...convert('vftint.lu.d', 0x729e5c00, 'ftint.lu', true),
  ...convert('vftintrz.wu.s', 0x729e7000, 'ftintrz.wu', false),
  ...convert('vftintrz.lu.d', 0x729e7400, 'ftintrz.lu', true),
  ...Object.entries(FCMP_CONDITIONS).flatMap(([name, condition]) =>
    [false, true].flatMap((double) =>
      compute(
        `vfcmp.${name}.${double ? 'd' : 's'}`,
        (double ? 0x0c600000 : 0x0c500000) + condition * 0x8000,
        THREE,
        each(`fcmp.${name}` as FpOperation, double),
        (double ? 0x0ca00000 : 0x0c900000) + condition * 0x8000,
      ),
    ),
  ),
];
