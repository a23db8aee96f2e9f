/** Basic floating point, single and double (Vol. 1, chapter 3). Arithmetic is exact: softfloat/softfloat.ts. */
import { FCMP_CONDITIONS, type FpOperation, operationCode } from '../../softfloat/operations.ts';
import { type Row, type RowFlags, row } from '../row.ts';
import * as $ from '../semantics.ts';
import { c64, type Node, type Semantics, w } from '../semantics.ts';
import { checkBound } from './bounds.ts';

const FP = { ext: 'fpu', unit: 'fp' } as const;
type Width = 's' | 'd';
const WIDTHS = ['s', 'd'] as const;

/** A single-precision value in a 64-bit register has ones above it. */
const box = (width: Width, x: Node): Node => (width === 'd' ? x : $.or($.zx(w(x)), c64(-1n << 32n)));

const binary = (bits: number, length: number): string => bits.toString(2).padStart(length, '0');

/** The opcodes of a pair of rows, one for single and one for double precision. */
interface PairOpcode {
  /** The opcode of `.s`, its length in bits, and the distance to that of `.d` (default 1). */
  readonly first: number;
  readonly length: number;
  readonly step?: number;
}

/** Single and double rows whose encodings differ by `step` in the opcode of `length` bits. */
function pair(
  name: string,
  { first, length, step = 1 }: PairOpcode,
  operands: readonly [pattern: string, asm: string],
  define: (s: Semantics, width: Width) => void,
  flags: RowFlags = FP,
): Row[] {
  return WIDTHS.map((width, i) =>
    row(`${name}.${width}`, `${binary(first + i * step, length)} ${operands[0]}`, operands[1], flags, (s) =>
      define(s, width),
    ),
  );
}

const THREE = ['fk fj fd', 'fd, fj, fk'] as const;
const TWO = ['fj fd', 'fd, fj'] as const;

/** An operation of the FPU with one, two or three operands. */
const compute =
  (name: FpOperation, count: 1 | 2 | 3) =>
  (s: Semantics, width: Width): void => {
    if (count === 3) s.pass(s.fa);
    const code = operationCode(name, width === 'd');
    s.fd = count === 1 ? s.call('fpu', code, s.fj) : s.call('fpu', code, s.fj, s.fk);
  };
const three = (name: FpOperation, first: number): Row[] => pair(name, { first, length: 17 }, THREE, compute(name, 2));
/** The approximations give the rounded result of the exact operation (docs/isa-notes.md). */
const approximation = (name: string, first: number, operation: FpOperation): Row[] =>
  pair(name, { first, length: 22 }, TWO, compute(operation, 1), { ...FP, ext: 'frecipe' });
const two = (name: FpOperation, first: number): Row[] => pair(name, { first, length: 22 }, TWO, compute(name, 1));
const fused = (name: FpOperation, first: number): Row[] =>
  pair(name, { first, length: 12 }, ['fa fk fj fd', 'fd, fj, fk, fa'], compute(name, 3));

/** Bit operations of the sign. */
const signed = (name: string, first: number, f: (x: Node, sign: Node) => Node): Row[] =>
  pair(name, { first, length: 22 }, TWO, (s, width) => {
    s.fd = box(width, f(s.fj, c64(width === 'd' ? 1n << 63n : 1n << 31n)));
  });

/** Conversions: one row, the format of the operation given. */
const convert = (name: string, code: number, operation: FpOperation, width: Width): Row =>
  row(name, `${binary(code, 22)} fj fd`, 'fd, fj', FP, (s) => {
    s.fd = s.call('fpu', operationCode(operation, width === 'd'), s.fj);
  });

const ROUNDINGS = ['ftintrm', 'ftintrp', 'ftintrz', 'ftintrne', 'ftint'] as const;

/** To integers: {rounding} × {w, l} × {s, d}. */
const TO_INTEGER: Row[] = ROUNDINGS.flatMap((rounding, k) =>
  (['w', 'l'] as const).flatMap((size, l) =>
    WIDTHS.map((width, d) => {
      const code = 0b0000000100011010000001 + k * 0b10000 + l * 0b1000 + d;
      return convert(`${rounding}.${size}.${width}`, code, `${rounding}.${size}`, width);
    }),
  ),
);

/** Loads fd, and stores it, at an address. */
const load = (s: Semantics, width: Width, address: Node): void => {
  s.fd = box(width, s.ld(width === 'd' ? 'd' : 'wu', address));
};
const store = (s: Semantics, width: Width, address: Node): void => s.st(width === 'd' ? 'd' : 'w', address, s.fdv);
const OFFSET = ['si12 rj fd', 'fd, rj, si12'] as const;
const INDEX = ['rk rj fd', 'fd, rj, rk'] as const;
const offset = (s: Semantics): Node => $.add(s.rj, s.imm('si12'));
const index = (s: Semantics): Node => $.add(s.rj, s.rk);

/** Bound-checked accesses at rj. */
const checked = (family: 'fldgt' | 'fldle' | 'fstgt' | 'fstle', first: number): Row[] =>
  pair(family, { first, length: 17 }, INDEX, (s, width) => {
    checkBound(s, family, width === 'd' ? 8 : 4);
    (family.startsWith('fst') ? store : load)(s, width, s.rj);
  });

/** A move, one row. */
const move = (name: string, code: string, operands: readonly [string, string], define: (s: Semantics) => void): Row =>
  row(name, `${code} ${operands[0]}`, operands[1], FP, define);
const LOW = c64(0xffffffffn);

export const FLOAT: readonly Row[] = [
  ...three('fadd', 0b00000001000000001),
  ...three('fsub', 0b00000001000000101),
  ...three('fmul', 0b00000001000001001),
  ...three('fdiv', 0b00000001000001101),
  ...three('fmax', 0b00000001000010001),
  ...three('fmin', 0b00000001000010101),
  ...three('fmaxa', 0b00000001000011001),
  ...three('fmina', 0b00000001000011101),
  ...pair('fscaleb', { first: 0b00000001000100001, length: 17 }, THREE, compute('fscaleb', 2)),
  ...pair('fcopysign', { first: 0b00000001000100101, length: 17 }, THREE, (s, width) => {
    const magnitude = c64(width === 'd' ? (1n << 63n) - 1n : (1n << 31n) - 1n);
    s.fd = $.or($.and(s.fj, magnitude), $.and(s.fk, $.not(magnitude)));
  }),
  ...signed('fabs', 0b0000000100010100000001, (x, sign) => $.and(x, $.not(sign))),
  ...signed('fneg', 0b0000000100010100000101, (x, sign) => $.xor(x, sign)),
  ...two('flogb', 0b0000000100010100001001),
  ...two('fclass', 0b0000000100010100001101),
  ...two('fsqrt', 0b0000000100010100010001),
  ...two('frecip', 0b0000000100010100010101),
  ...two('frsqrt', 0b0000000100010100011001),
  ...approximation('frecipe', 0b0000000100010100011101, 'frecip'),
  ...approximation('frsqrte', 0b0000000100010100100001, 'frsqrt'),
  ...pair('fmov', { first: 0b0000000100010100100101, length: 22 }, TWO, (s, width) => {
    s.fd = box(width, s.fj);
  }),
  move('movgr2fr.w', '0000000100010100101001', ['rj fd', 'fd, rj'], (s) => {
    s.fd = $.or($.and(s.fdv, $.not(LOW)), $.and(s.rj, LOW));
  }),
  move('movgr2fr.d', '0000000100010100101010', ['rj fd', 'fd, rj'], (s) => {
    s.fd = s.rj;
  }),
  move('movgr2frh.w', '0000000100010100101011', ['rj fd', 'fd, rj'], (s) => {
    s.fd = $.or($.and(s.fdv, LOW), $.shl(s.rj, c64(32)));
  }),
  move('movfr2gr.s', '0000000100010100101101', ['fj rd', 'rd, fj'], (s) => {
    s.rd = $.ext32(s.fj);
  }),
  move('movfr2gr.d', '0000000100010100101110', ['fj rd', 'rd, fj'], (s) => {
    s.rd = s.fj;
  }),
  move('movfrh2gr.s', '0000000100010100101111', ['fj rd', 'rd, fj'], (s) => {
    s.rd = $.shrS(s.fj, c64(32));
  }),
  move('movgr2fcsr', '0000000100010100110000', ['rj fcsrd', 'fcsrd, rj'], (s) => {
    s.call('fcsrwr', 0, s.rj, s.imm('fcsrd'));
  }),
  move('movfcsr2gr', '0000000100010100110010', ['fcsrj rd', 'rd, fcsrj'], (s) => {
    s.rd = s.call('fcsrrd', 0, s.imm('fcsrj'));
  }),
  move('movfr2cf', '0000000100010100110100', ['fj 00 cd', 'cd, fj'], (s) => {
    s.cd = $.and(s.fj, c64(1));
  }),
  move('movcf2fr', '0000000100010100110101', ['00 cj fd', 'fd, cj'], (s) => {
    s.fd = s.cj;
  }),
  move('movgr2cf', '0000000100010100110110', ['rj 00 cd', 'cd, rj'], (s) => {
    s.cd = $.and(s.rj, c64(1));
  }),
  move('movcf2gr', '0000000100010100110111', ['00 cj rd', 'rd, cj'], (s) => {
    s.rd = s.cj;
  }),
  convert('fcvt.s.d', 0b0000000100011001000110, 'fcvt', 's'),
  convert('fcvt.d.s', 0b0000000100011001001001, 'fcvt', 'd'),
  ...TO_INTEGER,
  convert('ffint.s.w', 0b0000000100011101000100, 'ffint.w', 's'),
  convert('ffint.s.l', 0b0000000100011101000110, 'ffint.l', 's'),
  convert('ffint.d.w', 0b0000000100011101001000, 'ffint.w', 'd'),
  convert('ffint.d.l', 0b0000000100011101001010, 'ffint.l', 'd'),
  ...two('frint', 0b0000000100011110010001),
  ...fused('fmadd', 0b000010000001),
  ...fused('fmsub', 0b000010000101),
  ...fused('fnmadd', 0b000010001001),
  ...fused('fnmsub', 0b000010001101),
  ...Object.entries(FCMP_CONDITIONS).flatMap(([name, condition]) =>
    WIDTHS.map((width, d) =>
      row(
        `fcmp.${name}.${width}`,
        `0000110000${d ? '10' : '01'}${binary(condition, 5)} fk fj 00 cd`,
        'cd, fj, fk',
        FP,
        (s) => {
          s.cd = s.call('fpu', operationCode(`fcmp.${name}` as FpOperation, width === 'd'), s.fj, s.fk);
        },
      ),
    ),
  ),
  row('fsel', '00001101000000 ca fk fj fd', 'fd, fj, fk, ca', FP, (s) => {
    s.fd = $.sel($.isZero(s.ca), s.fj, s.fk);
  }),
  row('bceqz', '010010 offs21[15:0] 00 cj offs21[20:16]', 'cj, offs21', FP, (s) => s.br('offs21', $.eq(s.cj, c64(0)))),
  row('bcnez', '010010 offs21[15:0] 01 cj offs21[20:16]', 'cj, offs21', FP, (s) => s.br('offs21', $.ne(s.cj, c64(0)))),
  move('fld.s', '0010101100', OFFSET, (s) => load(s, 's', offset(s))),
  move('fst.s', '0010101101', OFFSET, (s) => store(s, 's', offset(s))),
  move('fld.d', '0010101110', OFFSET, (s) => load(s, 'd', offset(s))),
  move('fst.d', '0010101111', OFFSET, (s) => store(s, 'd', offset(s))),
  ...pair('fldx', { first: 0b00111000001100000, length: 17, step: 8 }, INDEX, (s, width) => load(s, width, index(s))),
  ...pair('fstx', { first: 0b00111000001110000, length: 17, step: 8 }, INDEX, (s, width) => store(s, width, index(s))),
  ...checked('fldgt', 0b00111000011101000),
  ...checked('fldle', 0b00111000011101010),
  ...checked('fstgt', 0b00111000011101100),
  ...checked('fstle', 0b00111000011101110),
];
