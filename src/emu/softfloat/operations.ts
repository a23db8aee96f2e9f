/**
 * The floating-point operations that instructions call, by number: the function of each, in single and
 * double. The instruction table names them; the floating-point unit performs them and updates FCSR.
 */
import * as f from './softfloat.ts';
import { DOUBLE, type Format, HALF, ROUND, type RoundMode, SINGLE, type Status } from './softfloat.ts';

/** a, b, c are the raw operands of the format (or integers where the name says so). */
type Operation = (fmt: Format, s: Status, a: bigint, b: bigint, c: bigint) => bigint;

const withMode =
  (rm: RoundMode | undefined, width: bigint, signed = true): Operation =>
  (fmt, s, a) => {
    const saved = s.rm;
    if (rm !== undefined) s.rm = rm;
    const r = f.toInteger(fmt, s, a, width, signed);
    s.rm = saved;
    return r;
  };

const integral =
  (rm: RoundMode): Operation =>
  (fmt, s, a) => {
    const saved = s.rm;
    s.rm = rm;
    const r = f.roundToIntegral(fmt, s, a);
    s.rm = saved;
    return r;
  };

const negated = (fmt: Format, x: bigint): bigint => (f.isNan(fmt, x) ? x : x ^ (1n << (fmt.bits - 1n)));

/** Conditions of fcmp by their code: the orders for which they are true. Odd codes signal on quiet NaNs. */
const CONDITIONS: Readonly<Record<number, readonly ('lt' | 'eq' | 'gt' | 'un')[]>> = {
  0: [],
  2: ['lt'],
  4: ['eq'],
  6: ['lt', 'eq'],
  8: ['un'],
  10: ['un', 'lt'],
  12: ['un', 'eq'],
  14: ['un', 'lt', 'eq'],
  16: ['gt', 'lt'],
  20: ['gt', 'lt', 'eq'],
  24: ['un', 'gt', 'lt'],
};
const comparison =
  (condition: number): Operation =>
  (fmt, s, a, b) => {
    const o = f.compare(fmt, s, a, b, (condition & 1) === 1);
    const name = o === undefined ? 'un' : o < 0 ? 'lt' : o > 0 ? 'gt' : 'eq';
    return CONDITIONS[condition & ~1]!.includes(name) ? 1n : 0n;
  };

/** The condition names of fcmp, with their codes. */
export const FCMP_CONDITIONS = {
  caf: 0x0,
  saf: 0x1,
  clt: 0x2,
  slt: 0x3,
  ceq: 0x4,
  seq: 0x5,
  cle: 0x6,
  sle: 0x7,
  cun: 0x8,
  sun: 0x9,
  cult: 0xa,
  sult: 0xb,
  cueq: 0xc,
  sueq: 0xd,
  cule: 0xe,
  sule: 0xf,
  cne: 0x10,
  sne: 0x11,
  cor: 0x14,
  sor: 0x15,
  cune: 0x18,
  sune: 0x19,
} as const;

const BASIC = {
  fadd: f.add,
  fsub: f.sub,
  fmul: f.mul,
  fdiv: f.div,
  fmax: (fmt, s, a, b) => f.extreme(fmt, s, a, b, false, false),
  fmin: (fmt, s, a, b) => f.extreme(fmt, s, a, b, true, false),
  fmaxa: (fmt, s, a, b) => f.extreme(fmt, s, a, b, false, true),
  fmina: (fmt, s, a, b) => f.extreme(fmt, s, a, b, true, true),
  fscaleb: (fmt, s, a, b) => f.scale(fmt, s, a, BigInt.asIntN(Number(fmt.bits), b)),
  flogb: f.logB,
  fclass: (fmt, _s, a) => f.classify(fmt, a),
  fsqrt: f.sqrt,
  frecip: (fmt, s, a) => f.div(fmt, s, f.one(fmt), a),
  frsqrt: (fmt, s, a) => f.div(fmt, s, f.one(fmt), f.sqrt(fmt, s, a)),
  fmadd: f.mulAdd,
  fmsub: (fmt, s, a, b, c) => f.mulAdd(fmt, s, a, b, negated(fmt, c)),
  fnmadd: (fmt, s, a, b, c) => negated(fmt, f.mulAdd(fmt, s, a, b, c)),
  fnmsub: (fmt, s, a, b, c) => negated(fmt, f.mulAdd(fmt, s, a, b, negated(fmt, c))),
  frint: f.roundToIntegral,
  // To the format of the name, from the other one.
  fcvt: (fmt, s, a) => f.convert(fmt === SINGLE ? DOUBLE : SINGLE, fmt, s, a),
  'ffint.w': (fmt, s, a) => f.fromInteger(fmt, s, BigInt.asIntN(32, a)),
  'ffint.l': (fmt, s, a) => f.fromInteger(fmt, s, BigInt.asIntN(64, a)),
  'ftint.w': withMode(undefined, 32n),
  'ftint.l': withMode(undefined, 64n),
  'ftintrm.w': withMode(ROUND.down, 32n),
  'ftintrm.l': withMode(ROUND.down, 64n),
  'ftintrp.w': withMode(ROUND.up, 32n),
  'ftintrp.l': withMode(ROUND.up, 64n),
  'ftintrz.w': withMode(ROUND.towardZero, 32n),
  'ftintrz.l': withMode(ROUND.towardZero, 64n),
  'ftintrne.w': withMode(ROUND.nearestEven, 32n),
  'ftintrne.l': withMode(ROUND.nearestEven, 64n),
  // Only the vector units have these.
  'ffint.wu': (fmt, s, a) => f.fromInteger(fmt, s, BigInt.asUintN(32, a)),
  'ffint.lu': (fmt, s, a) => f.fromInteger(fmt, s, BigInt.asUintN(64, a)),
  'ftint.wu': withMode(undefined, 32n, false),
  'ftint.lu': withMode(undefined, 64n, false),
  'ftintrz.wu': withMode(ROUND.towardZero, 32n, false),
  'ftintrz.lu': withMode(ROUND.towardZero, 64n, false),
  frintrm: integral(ROUND.down),
  frintrp: integral(ROUND.up),
  frintrz: integral(ROUND.towardZero),
  frintrne: integral(ROUND.nearestEven),
  'fcvt.h': (_fmt, s, a) => f.convert(SINGLE, HALF, s, a),
  'fcvt.s.h': (_fmt, s, a) => f.convert(HALF, SINGLE, s, a),
} satisfies Record<string, Operation>;

export type BasicOperation = keyof typeof BASIC;
const COMPARISONS = Object.fromEntries(
  Object.entries(FCMP_CONDITIONS).map(([name, code]) => [`fcmp.${name}`, comparison(code)]),
) as Record<`fcmp.${keyof typeof FCMP_CONDITIONS}`, Operation>;

export type FpOperation = BasicOperation | keyof typeof COMPARISONS;
const OPERATIONS: Readonly<Record<FpOperation, Operation>> = { ...BASIC, ...COMPARISONS };
const NAMES = Object.keys(OPERATIONS) as FpOperation[];

/** Number of an operation in a format, for the code of a helper call. */
export const operationCode = (name: FpOperation, double: boolean): number => NAMES.indexOf(name) * 2 + (double ? 1 : 0);

/**
 * The manual does not define the upper bits of a register with a 32-bit result. As on the oracle: the sign above an integer (zeros for one
 * truncated or rounded to even from a single), ones above a single (zeros for one rounded to an integer).
 */
const ZEROS_ABOVE = new Set<FpOperation>(['frint', 'fclass', 'ftintrz.w', 'ftintrne.w']);

/** Operations that only work on bits and do not change FCSR. */
export const isQuiet = (name: FpOperation): boolean => name === 'fclass';
const QUIET_INDEX = NAMES.findIndex(isQuiet);
/** {@link isQuiet} of a code of {@link operationCode}. */
export const isQuietCode = (code: number): boolean => code >> 1 === QUIET_INDEX;

/** An operation on raw values of its operands' own widths; `double` is the format that it works in. */
export function elementOperation(
  name: FpOperation,
  double: boolean,
): (s: Status, a: bigint, b: bigint, c: bigint) => bigint {
  const operation = OPERATIONS[name];
  const fmt = double ? DOUBLE : SINGLE;
  return (s, a, b, c) => operation(fmt, s, a, b, c);
}

/** Performs an operation. Operands and result are raw 64-bit register values. */
export function operate(code: number, s: Status, a: bigint, b: bigint, c: bigint): bigint {
  const name = NAMES[code >> 1]!;
  const fmt = code & 1 ? DOUBLE : SINGLE;
  const whole = name.startsWith('ffint') || (name === 'fcvt' && fmt === SINGLE);
  const raw = (x: bigint): bigint => (whole || (fmt === DOUBLE && name !== 'fcvt') ? x : BigInt.asUintN(32, x));
  const r = OPERATIONS[name](fmt, s, raw(a), raw(b), raw(c));
  if (fmt === SINGLE && ZEROS_ABOVE.has(name)) return BigInt.asUintN(32, r);
  if (fmt === DOUBLE || name.startsWith('ftint') || name.startsWith('fcmp')) return BigInt.asUintN(64, r);
  return r | 0xffffffff_00000000n;
}
