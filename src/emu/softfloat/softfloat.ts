/**
 * IEEE 754 arithmetic, exact: every finite operation is computed without rounding (division and square root with
 * enough bits and a sticky bit) and rounded once. It is slow and simple, and the reference for all faster code.
 * Where IEEE allows a choice, it follows LoongArch Reference Manual Vol. 1, section 3.1: default NaN positive and quiet,
 * a signalling operand goes first into the result, tininess detected after rounding.
 */

/** Exception flags, as the five bits of an FCSR field. */
export const FLAG = { inexact: 1, underflow: 2, overflow: 4, divideByZero: 8, invalid: 16 } as const;

/** FCSR.RM. */
export const ROUND = { nearestEven: 0, towardZero: 1, up: 2, down: 3 } as const;
export type RoundMode = (typeof ROUND)[keyof typeof ROUND];

/** A binary interchange format. */
export interface Format {
  readonly bits: bigint;
  readonly expBits: bigint;
  readonly fracBits: bigint;
}
export const SINGLE: Format = { bits: 32n, expBits: 8n, fracBits: 23n };
export const DOUBLE: Format = { bits: 64n, expBits: 11n, fracBits: 52n };
export const HALF: Format = { bits: 16n, expBits: 5n, fracBits: 10n };

/** The rounding mode (input) and the flags (output). */
export interface Status {
  rm: RoundMode;
  flags: number;
  /** Input: underflow traps. Then exact tiny results underflow, too (Vol. 1, 3.1.4.4). */
  underflowTraps?: boolean;
}

const bias = (f: Format): bigint => (1n << (f.expBits - 1n)) - 1n;
const signBit = (f: Format): bigint => 1n << (f.bits - 1n);
const expMask = (f: Format): bigint => (1n << f.expBits) - 1n;
const fracMask = (f: Format): bigint => (1n << f.fracBits) - 1n;
const bitLength = (v: bigint): bigint => BigInt(v.toString(2).length);

/** Exponent of the last place of subnormal numbers. */
const minExponent = (f: Format): bigint => 1n - bias(f) - f.fracBits;

export const isNegative = (f: Format, x: bigint): boolean => (x & signBit(f)) !== 0n;
export const isNan = (f: Format, x: bigint): boolean => (x & ~signBit(f)) > expMask(f) << f.fracBits;
export const isInfinite = (f: Format, x: bigint): boolean => (x & ~signBit(f)) === expMask(f) << f.fracBits;
export const isZero = (f: Format, x: bigint): boolean => (x & ~signBit(f)) === 0n;
const quietBit = (f: Format): bigint => 1n << (f.fracBits - 1n);
export const isSignalling = (f: Format, x: bigint): boolean => isNan(f, x) && (x & quietBit(f)) === 0n;
export const defaultNaN = (f: Format): bigint => (expMask(f) << f.fracBits) | quietBit(f);
export const infinity = (f: Format, negative: boolean): bigint =>
  (expMask(f) << f.fracBits) | (negative ? signBit(f) : 0n);
const zero = (f: Format, negative: boolean): bigint => (negative ? signBit(f) : 0n);
const isSubnormal = (f: Format, x: bigint): boolean => ((x >> f.fracBits) & expMask(f)) === 0n && !isZero(f, x);

/** A finite number other than 0 is ±significand · 2^exponent. */
interface Finite {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: bigint;
}

function unpack(f: Format, x: bigint): Finite {
  const e = (x >> f.fracBits) & expMask(f);
  const frac = x & fracMask(f);
  const negative = isNegative(f, x);
  if (e === 0n) return { negative, significand: frac, exponent: minExponent(f) };
  return { negative, significand: frac | (1n << f.fracBits), exponent: e - bias(f) - f.fracBits };
}

/** Does rounding go away from zero? `rest` and `half` are what is cut off and half of the last place. */
function roundsUp(
  rm: RoundMode,
  negative: boolean,
  odd: boolean,
  rest: bigint,
  half: bigint,
  sticky: boolean,
): boolean {
  if (rest === 0n && !sticky) return false;
  switch (rm) {
    case ROUND.nearestEven:
      return rest > half || (rest === half && (sticky || odd));
    case ROUND.towardZero:
      return false;
    case ROUND.up:
      return !negative;
    case ROUND.down:
      return negative;
  }
}

/** Removes the low `shift` bits. */
function cut(
  v: bigint,
  shift: bigint,
  rm: RoundMode,
  negative: boolean,
  sticky: boolean,
): { kept: bigint; inexact: boolean } {
  if (shift <= 0n) return { kept: v << -shift, inexact: sticky };
  const kept = v >> shift;
  const rest = v & ((1n << shift) - 1n);
  const up = roundsUp(rm, negative, (kept & 1n) === 1n, rest, 1n << (shift - 1n), sticky);
  return { kept: up ? kept + 1n : kept, inexact: rest !== 0n || sticky };
}

/** Rounds ±significand · 2^exponent (plus something smaller when `sticky`) into the format. */
function round(f: Format, s: Status, negative: boolean, significand: bigint, exponent: bigint, sticky = false): bigint {
  const precision = f.fracBits + 1n;
  const length = bitLength(significand);
  const free = exponent + length - precision;
  const smallest = minExponent(f);
  const place = free > smallest ? free : smallest;
  const { kept, inexact } = cut(significand, place - exponent, s.rm, negative, sticky);
  if (inexact) {
    s.flags |= FLAG.inexact;
    // Tiny after rounding: smaller than the least normal number even with an unbounded exponent.
    const unbounded = cut(significand, free - exponent, s.rm, negative, sticky).kept;
    if (free + bitLength(unbounded) - 1n < 1n - bias(f)) s.flags |= FLAG.underflow;
  } else if (s.underflowTraps && kept !== 0n && kept < 1n << f.fracBits) s.flags |= FLAG.underflow;
  const top = place + bitLength(kept) - 1n;
  if (kept !== 0n && top > bias(f)) {
    s.flags |= FLAG.overflow | FLAG.inexact;
    const toInfinity =
      s.rm === ROUND.nearestEven || (s.rm === ROUND.up && !negative) || (s.rm === ROUND.down && negative);
    return toInfinity ? infinity(f, negative) : infinity(f, negative) - 1n;
  }
  const sign = negative ? signBit(f) : 0n;
  if (kept < 1n << f.fracBits) return sign | kept;
  // A carry out of the significand has left a power of two.
  const extra = bitLength(kept) - precision;
  const biased = place + extra + bias(f) + f.fracBits;
  return sign | (biased << f.fracBits) | ((kept >> extra) & fracMask(f));
}

const quiet = (f: Format, x: bigint): bigint => x | quietBit(f);

/** The NaN that an operation with NaN operands gives: a signalling one first, then in the order given. */
function propagate(f: Format, s: Status, ...operands: readonly bigint[]): bigint {
  const signalling = operands.find((x) => isSignalling(f, x));
  if (signalling !== undefined) s.flags |= FLAG.invalid;
  return quiet(f, signalling ?? operands.find((x) => isNan(f, x))!);
}

function invalid(f: Format, s: Status): bigint {
  s.flags |= FLAG.invalid;
  return defaultNaN(f);
}

const negate = (f: Format, x: bigint): bigint => x ^ signBit(f);

/** a·b + c, rounded once. `swapped`: the NaN order of plain additions and multiplications. */
export function mulAdd(f: Format, s: Status, a: bigint, b: bigint, c: bigint): bigint {
  const productInvalid = (isInfinite(f, a) && isZero(f, b)) || (isZero(f, a) && isInfinite(f, b));
  if (isNan(f, a) || isNan(f, b) || isNan(f, c)) {
    if (productInvalid) s.flags |= FLAG.invalid;
    return propagate(f, s, c, a, b);
  }
  if (productInvalid) return invalid(f, s);
  const negative = isNegative(f, a) !== isNegative(f, b);
  if (isInfinite(f, a) || isInfinite(f, b)) {
    if (isInfinite(f, c) && isNegative(f, c) !== negative) return invalid(f, s);
    return infinity(f, negative);
  }
  if (isInfinite(f, c)) return c;
  const [x, y, z] = [unpack(f, a), unpack(f, b), unpack(f, c)];
  const product = x.significand * y.significand;
  return sum(f, s, { negative, significand: product, exponent: x.exponent + y.exponent }, z);
}

/** Sum of two exact numbers; either may be 0. */
function sum(f: Format, s: Status, x: Finite, y: Finite): bigint {
  let { exponent } = x;
  if (y.exponent < exponent) exponent = y.exponent;
  const signed = (v: Finite): bigint => (v.negative ? -1n : 1n) * (v.significand << (v.exponent - exponent));
  const total = signed(x) + signed(y);
  if (total === 0n) {
    // Equal signs keep theirs; an exact cancellation is +0, and −0 when rounding down.
    const bothZero = x.significand === 0n && y.significand === 0n;
    const negative = bothZero && x.negative === y.negative ? x.negative : s.rm === ROUND.down;
    return zero(f, negative);
  }
  return round(f, s, total < 0n, total < 0n ? -total : total, exponent);
}

export function add(f: Format, s: Status, a: bigint, b: bigint): bigint {
  if (isNan(f, a) || isNan(f, b)) return propagate(f, s, a, b);
  if (isInfinite(f, a)) return isInfinite(f, b) && a !== b ? invalid(f, s) : a;
  if (isInfinite(f, b)) return b;
  return sum(f, s, unpack(f, a), unpack(f, b));
}

export const sub = (f: Format, s: Status, a: bigint, b: bigint): bigint =>
  isNan(f, b) ? add(f, s, a, b) : add(f, s, a, negate(f, b));

export function mul(f: Format, s: Status, a: bigint, b: bigint): bigint {
  if (isNan(f, a) || isNan(f, b)) return propagate(f, s, a, b);
  const negative = isNegative(f, a) !== isNegative(f, b);
  if (isInfinite(f, a) || isInfinite(f, b)) return isZero(f, a) || isZero(f, b) ? invalid(f, s) : infinity(f, negative);
  if (isZero(f, a) || isZero(f, b)) return zero(f, negative);
  const [x, y] = [unpack(f, a), unpack(f, b)];
  return round(f, s, negative, x.significand * y.significand, x.exponent + y.exponent);
}

export function div(f: Format, s: Status, a: bigint, b: bigint): bigint {
  if (isNan(f, a) || isNan(f, b)) return propagate(f, s, a, b);
  const negative = isNegative(f, a) !== isNegative(f, b);
  if (isInfinite(f, a)) return isInfinite(f, b) ? invalid(f, s) : infinity(f, negative);
  if (isInfinite(f, b)) return zero(f, negative);
  if (isZero(f, b)) {
    if (isZero(f, a)) return invalid(f, s);
    s.flags |= FLAG.divideByZero;
    return infinity(f, negative);
  }
  if (isZero(f, a)) return zero(f, negative);
  const [x, y] = [unpack(f, a), unpack(f, b)];
  // Two bits more than the precision, whatever the operands' lengths.
  const shift = f.fracBits + 3n + bitLength(y.significand);
  const numerator = x.significand << shift;
  const sticky = numerator % y.significand !== 0n;
  return round(f, s, negative, numerator / y.significand, x.exponent - y.exponent - shift, sticky);
}

/** Largest integer whose square is not above `n`. */
function integerSqrt(n: bigint): bigint {
  let x = 1n << ((bitLength(n) + 1n) / 2n);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

export function sqrt(f: Format, s: Status, a: bigint): bigint {
  if (isNan(f, a)) return propagate(f, s, a);
  if (isZero(f, a)) return a;
  if (isNegative(f, a)) return invalid(f, s);
  if (isInfinite(f, a)) return a;
  const { significand, exponent } = unpack(f, a);
  const odd = (exponent & 1n) === 1n;
  const shift = 2n * (f.fracBits + 3n) + (odd ? 1n : 0n);
  const scaled = significand << shift;
  const root = integerSqrt(scaled);
  return round(f, s, false, root, (exponent - shift) / 2n, root * root !== scaled);
}

/** Order of two numbers: −1, 0, 1; undefined when one is a NaN. */
export function order(f: Format, a: bigint, b: bigint): -1 | 0 | 1 | undefined {
  if (isNan(f, a) || isNan(f, b)) return undefined;
  const key = (x: bigint): bigint => (isNegative(f, x) ? -(x & ~signBit(f)) : x);
  const [x, y] = [key(a), key(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Comparison with flags. `signalling`: quiet NaNs are invalid too. */
export function compare(f: Format, s: Status, a: bigint, b: bigint, signalling: boolean): -1 | 0 | 1 | undefined {
  const r = order(f, a, b);
  if (r === undefined && (signalling || isSignalling(f, a) || isSignalling(f, b))) s.flags |= FLAG.invalid;
  return r;
}

/** fmax, fmin (`least`), and by magnitude (`magnitude`); a quiet NaN gives way to a number. */
export function extreme(f: Format, s: Status, a: bigint, b: bigint, least: boolean, magnitude: boolean): bigint {
  if (isSignalling(f, a) || isSignalling(f, b)) return propagate(f, s, a, b);
  if (isNan(f, a)) return isNan(f, b) ? propagate(f, s, a, b) : b;
  if (isNan(f, b)) return a;
  const size = (x: bigint): bigint => x & ~signBit(f);
  if (magnitude && size(a) !== size(b)) return size(a) < size(b) === least ? a : b;
  const o = order(f, a, b);
  // Zeros of different signs: −0 counts as less.
  if (o === 0) return isNegative(f, a) === least ? a : b;
  return (o === -1) === least ? a : b;
}

/** Class mask of fclass. */
export function classify(f: Format, x: bigint): bigint {
  if (isNan(f, x)) return isSignalling(f, x) ? 1n : 2n;
  const first = isNegative(f, x) ? 2n : 6n;
  const kind = isInfinite(f, x) ? 0n : isZero(f, x) ? 3n : isSubnormal(f, x) ? 2n : 1n;
  return 1n << (first + kind);
}

/** Rounds to an integral value in the same format. */
export function roundToIntegral(f: Format, s: Status, x: bigint): bigint {
  if (isNan(f, x)) return propagate(f, s, x);
  if (isInfinite(f, x) || isZero(f, x)) return x;
  const { negative, significand, exponent } = unpack(f, x);
  if (exponent >= 0n) return x;
  const { kept, inexact } = cut(significand, -exponent, s.rm, negative, false);
  if (inexact) s.flags |= FLAG.inexact;
  return kept === 0n ? zero(f, negative) : round(f, { rm: s.rm, flags: 0 }, negative, kept, 0n);
}

/** Converts to an integer of `width` bits: NaN gives 0, what does not fit the nearest end; both are invalid. */
export function toInteger(f: Format, s: Status, x: bigint, width: bigint, signed = true): bigint {
  const max = signed ? (1n << (width - 1n)) - 1n : (1n << width) - 1n;
  const min = signed ? -(1n << (width - 1n)) : 0n;
  if (isNan(f, x)) {
    s.flags |= FLAG.invalid;
    return 0n;
  }
  const clamp = (negative: boolean): bigint => {
    s.flags |= FLAG.invalid;
    return negative ? min : max;
  };
  if (isInfinite(f, x)) return clamp(isNegative(f, x));
  const { negative, significand, exponent } = unpack(f, x);
  const { kept, inexact } = cut(significand, -exponent, s.rm, negative, false);
  const value = negative ? -kept : kept;
  if (value > max || value < min) return clamp(negative);
  if (inexact) s.flags |= FLAG.inexact;
  return value;
}

export function fromInteger(f: Format, s: Status, value: bigint): bigint {
  if (value === 0n) return 0n;
  return round(f, s, value < 0n, value < 0n ? -value : value, 0n);
}

/** Between formats; a NaN keeps the top of its payload and becomes quiet. */
export function convert(from: Format, to: Format, s: Status, x: bigint): bigint {
  const negative = isNegative(from, x);
  if (isNan(from, x)) {
    if (isSignalling(from, x)) s.flags |= FLAG.invalid;
    const drop = from.fracBits - to.fracBits;
    const payload = drop > 0n ? (x & fracMask(from)) >> drop : (x & fracMask(from)) << -drop;
    return quiet(to, infinity(to, negative) | payload);
  }
  if (isInfinite(from, x)) return infinity(to, negative);
  if (isZero(from, x)) return zero(to, negative);
  const { significand, exponent } = unpack(from, x);
  return round(to, s, negative, significand, exponent);
}

/** x · 2^n. */
export function scale(f: Format, s: Status, x: bigint, n: bigint): bigint {
  if (isNan(f, x)) return propagate(f, s, x);
  if (isInfinite(f, x) || isZero(f, x)) return x;
  const { negative, significand, exponent } = unpack(f, x);
  // Beyond this, every result overflows or underflows.
  const limit = 1n << (f.expBits + 2n);
  const by = n > limit ? limit : n < -limit ? -limit : n;
  return round(f, s, negative, significand, exponent + by);
}

/** The exponent of x as a floating-point number: floor(log2 |x|). */
export function logB(f: Format, s: Status, x: bigint): bigint {
  if (isNan(f, x)) return propagate(f, s, x);
  if (isZero(f, x)) {
    s.flags |= FLAG.divideByZero;
    return infinity(f, true);
  }
  if (isNegative(f, x)) return invalid(f, s);
  if (isInfinite(f, x)) return x;
  const { significand, exponent } = unpack(f, x);
  return fromInteger(f, s, exponent + bitLength(significand) - 1n);
}

/** 1 in the format. */
export const one = (f: Format): bigint => bias(f) << f.fracBits;
