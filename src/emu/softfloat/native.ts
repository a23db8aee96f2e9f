/**
 * Common cases of floating point with JavaScript's doubles: round to nearest even, operands and results well
 * inside the normal range. The rounding error is computed exactly (TwoSum; Dekker's product), so Inexact is exact too.
 * All other cases are left to softfloat.ts.
 */
import { FCMP_CONDITIONS, type FpOperation, operationCode } from './operations.ts';
import { FLAG, type Status } from './softfloat.ts';

/** Kinds of operand and result: double, single, 32-bit integer (zeros above it), 64-bit integer. */
type Kind = 'd' | 's' | 'w' | 'x';

/** An operation on numbers: the result, or NaN for a case that it does not cover. */
export interface Native {
  readonly from: Kind;
  readonly to: Kind;
  readonly compute: (s: Status, a: number, b: number) => number;
}

// Within these bounds neither the results nor the error terms of doubles overflow or become subnormal.
const TINY = 2 ** -400;
const HUGE = 2 ** 400;
const SINGLE_TINY = 2 ** -100;
const SINGLE_HUGE = 2 ** 100;
/** Dekker's constant: splits a double into two halves of 26 bits. */
const SPLIT = 2 ** 27 + 1;

const within = (x: number, least: number, most: number): boolean => {
  const m = Math.abs(x);
  return m >= least && m <= most;
};

const done = (s: Status, result: number, exact: boolean): number => {
  if (!exact) s.flags |= FLAG.inexact;
  return result;
};

/** The rounding error of a + b. */
function sumError(a: number, b: number, sum: number): number {
  const part = sum - a;
  return a - (sum - part) + (b - part);
}

/** The rounding error of a × b. */
function productError(a: number, b: number, product: number): number {
  const ca = SPLIT * a;
  const ah = ca - (ca - a);
  const al = a - ah;
  const cb = SPLIT * b;
  const bh = cb - (cb - b);
  const bl = b - bh;
  return al * bl - (product - ah * bh - al * bh - ah * bl);
}

const DOUBLE_OPERATIONS = {
  fadd: (s: Status, a: number, b: number): number => {
    const r = a + b;
    if (!((r === 0 || within(r, TINY, HUGE)) && Math.abs(a) <= HUGE && Math.abs(b) <= HUGE)) return Number.NaN;
    return done(s, r, sumError(a, b, r) === 0);
  },
  fmul: (s: Status, a: number, b: number): number => {
    // Zero times a number is exact, with the same sign as in softfloat.ts; times infinity it is a NaN.
    if (a === 0 || b === 0) return a * b;
    if (!(within(a, TINY, HUGE) && within(b, TINY, HUGE))) return Number.NaN;
    const r = a * b;
    return done(s, r, productError(a, b, r) === 0);
  },
  fdiv: (s: Status, a: number, b: number): number => {
    if (a === 0 && b !== 0) return a / b;
    if (!(within(a, TINY, HUGE) && within(b, TINY, HUGE))) return Number.NaN;
    const r = a / b;
    const back = r * b;
    return done(s, r, back === a && productError(r, b, back) === 0);
  },
  fsqrt: (s: Status, a: number): number => {
    if (a === 0) return a;
    if (!(a >= TINY && a <= HUGE)) return Number.NaN;
    const r = Math.sqrt(a);
    const back = r * r;
    return done(s, r, back === a && productError(r, r, back) === 0);
  },
};

// A double has more than twice the bits of a single plus two, so rounding twice gives the same result as rounding once.
const single = (s: Status, wide: number, exact: boolean): number => {
  // An operation on two singles never underflows to 0 in a double.
  if (wide === 0) return wide;
  const r = Math.fround(wide);
  return within(r, SINGLE_TINY, SINGLE_HUGE) ? done(s, r, exact && r === wide) : Number.NaN;
};
const SINGLE_OPERATIONS = {
  fadd: (s: Status, a: number, b: number): number => single(s, a + b, sumError(a, b, a + b) === 0),
  fmul: (s: Status, a: number, b: number): number => single(s, a * b, true),
  fdiv: (s: Status, a: number, b: number): number => single(s, a / b, Math.fround(a / b) * b === a),
  fsqrt: (s: Status, a: number): number => single(s, Math.sqrt(a), Math.fround(Math.sqrt(a)) ** 2 === a),
};

/** Bits of a condition's number: less, equal, and less or greater. */
const LESS = 2;
const EQUAL = 4;
const DIFFERENT = 16;
const compare =
  (condition: number) =>
  (_s: Status, a: number, b: number): number => {
    if (a < b) return condition & (LESS | DIFFERENT) ? 1 : 0;
    if (a > b) return condition & DIFFERENT ? 1 : 0;
    if (a === b) return condition & EQUAL ? 1 : 0;
    return Number.NaN;
  };

const toWord = (s: Status, a: number): number => {
  if (!(Math.abs(a) < 2 ** 31)) return Number.NaN;
  const r = Math.trunc(a);
  return done(s, r, r === a);
};

const TABLE: (Native | undefined)[] = [];
const add = (name: FpOperation, from: Kind, to: Kind, double: boolean, compute: Native['compute']): void => {
  TABLE[operationCode(name, double)] = { from, to, compute };
};
for (const double of [false, true]) {
  const kind = double ? 'd' : 's';
  const { fadd, fmul, fdiv, fsqrt } = double ? DOUBLE_OPERATIONS : SINGLE_OPERATIONS;
  add('fadd', kind, kind, double, fadd);
  add('fsub', kind, kind, double, (s, a, b) => fadd(s, a, -b));
  add('fmul', kind, kind, double, fmul);
  add('fdiv', kind, kind, double, fdiv);
  add('fsqrt', kind, kind, double, fsqrt);
  for (const [name, condition] of Object.entries(FCMP_CONDITIONS) as [keyof typeof FCMP_CONDITIONS, number][])
    add(`fcmp.${name}`, kind, 'x', double, compare(condition));
  add('ftintrz.w', kind, double ? 'x' : 'w', double, toWord);
  add('ftintrz.l', kind, 'x', double, toWord);
}
add('ffint.w', 'w', 'd', true, (_s, a) => a);
add('ffint.w', 'w', 's', false, (s, a) => single(s, a, true));
add('fcvt', 's', 'd', true, (_s, a) => (a === 0 || within(a, SINGLE_TINY, SINGLE_HUGE) ? a : Number.NaN));
add('fcvt', 'd', 's', false, (s, a) => single(s, a, true));

/** The native form of the operation with this code, when there is one. */
export const nativeOperation = (code: number): Native | undefined => TABLE[code];
