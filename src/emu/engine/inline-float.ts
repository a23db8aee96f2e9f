/**
 * Common cases of floating point as WebAssembly, for the interpreter and the translator. They apply while FCSR rounds to nearest and
 * traps nothing, to operations with a normal result. Where the inexact flag is set already, such an operation changes only Cause, which
 * is computed when somebody reads it (fpu/fpu.ts, `settle`). Where it is not, the same is true of an operation without a rounding
 * error, and the forms check that there is none. All other cases use the exact path.
 */
import { FCMP_CONDITIONS, type FpOperation, isQuiet, operationCode } from '../softfloat/operations.ts';
import type { Emitter, Local } from '../wasm/emitter.ts';
import { Float as F, Op, Relaxed, type Ty, Simd as V } from '../wasm/opcodes.ts';
import { HOST_HAS_FMA } from './fma.ts';

/** What the code around a form gives to it. Operands are pushed as 64-bit register values. */
export interface FloatSite {
  readonly e: Emitter;
  take<T extends Ty>(ty: T): Local<T>;
  /** Uses the exact path when the i32 on the stack is not 0. */
  failIf(): void;
  /** Pushes operand a, b or c. */
  operand(which: 0 | 1 | 2): void;
  /** Calls fma or fmaSingle. */
  fused(single: boolean): void;
  /** Emits `inexact`, which pushes 1 when there is a rounding error, where the inexact flag is not set; fails when there is one. */
  unlessInexact(inexact: () => void): void;
}

/** Emits the operation. It leaves the 64-bit result on the stack. */
type Form = (site: FloatSite) => void;

/** `quiet`: it neither reads nor writes FCSR. */
export interface FloatForm {
  readonly operands: 1 | 2 | 3;
  readonly quiet: boolean;
  readonly emit: Form;
}

const FORMS = new Map<number, FloatForm>();

/** FCSR: Enables, inexact flag, RM. */
const WATCHED = 0x1f | 0x10000 | 0x300;
const QUIET = 0x10000;

/**
 * FCSR is on the stack. Pushes how the forms apply: 0: to all operations; NEEDS_EXACT: to those without a rounding error; anything else: to
 * none.
 */
export const pushUse = (e: Emitter): void => void e.i32(WATCHED).op(Op.i32And).i32(QUIET).op(Op.i32Xor);
export const NEEDS_EXACT = QUIET;

/** The form of an operation by its code. */
export const floatForm = (code: number): FloatForm | undefined => FORMS.get(code);

/** Pushes operand `n` as a number. */
const number = (s: FloatSite, double: boolean, n: 0 | 1 | 2): void => {
  s.operand(n);
  if (double) s.e.op(F.f64ReinterpretI64);
  else s.e.op(Op.i32WrapI64, F.f32ReinterpretI32);
};

/** Pushes 1 when operand `n` is a zero. */
const isZero = (s: FloatSite, double: boolean, n: 0 | 1 | 2): void => {
  s.operand(n);
  if (double) s.e.i64n(1).op(Op.i64Shl, Op.i64Eqz);
  else s.e.op(Op.i32WrapI64).i32(1).op(Op.i32Shl, Op.i32Eqz);
};

/**
 * Takes the result from the stack as a number and leaves register bits. It fails unless the result is normal and above
 * the least normal number, where tininess after rounding matters. `zero` pushes 1 when a result of zero is exact.
 */
function finish(
  s: FloatSite,
  double: boolean,
  zero: (() => void) | undefined,
  inexact: ((result: Local<'f32' | 'f64'>) => void) | undefined,
): void {
  const { e } = s;
  const result = inexact && s.take(double ? 'f64' : 'f32');
  if (result) e.tee(result);
  const bits = s.take(double ? 'i64' : 'i32');
  if (double) {
    // bits = result; odd = unsigned(exponent − 2) >= largest − 2
    e.op(F.i64ReinterpretF64).tee(bits).i64n(1).op(Op.i64Shl).i64n(53).op(Op.i64ShrU).i64n(2).op(Op.i64Sub);
    e.i64n(0x7fd).op(Op.i64GeU);
  } else {
    e.op(F.i32ReinterpretF32).tee(bits).i32(1).op(Op.i32Shl).i32(24).op(Op.i32ShrU).i32(2).op(Op.i32Sub);
    e.i32(0xfd).op(Op.i32GeU);
  }
  if (zero) {
    // if (odd && !(bits is a zero && zero is exact)) fail
    const odd = e.if();
    e.get(bits);
    if (double) e.i64n(1).op(Op.i64Shl, Op.i64Eqz);
    else e.i32(1).op(Op.i32Shl, Op.i32Eqz);
    zero();
    e.op(Op.i32And, Op.i32Eqz);
    s.failIf();
    e.end(odd);
  } else s.failIf();
  if (result) s.unlessInexact(() => inexact(result));
  e.get(bits);
  if (!double) box(s);
}

/** Below this a rounding error may be too small for a double. */
const TINY = 2 ** -900;

/** Pushes operand `n` as a double. */
const asDouble = (s: FloatSite, double: boolean, n: 0 | 1 | 2): void => {
  number(s, double, n);
  if (!double) s.e.op(F.f64PromoteF32);
};

/** `push`, with the other sign. */
const minus =
  ({ e }: FloatSite, push: () => void): (() => void) =>
  () => {
    push();
    e.op(F.f64Neg);
  };

/** Pushes a value as a double. */
const widened = (s: FloatSite, double: boolean, value: Local<'f32' | 'f64'>): void => {
  s.e.get(value);
  if (!double) s.e.op(F.f64PromoteF32);
};

/**
 * Pushes 1 when x · y is not exactly the product: with doubles by the error, which fma computes; the product of singles is exact in a double.
 * A tiny product counts as not exact, unless it is zero.
 */
function productDiffers(s: FloatSite, double: boolean, x: () => void, y: () => void, product: () => void): void {
  const { e } = s;
  if (!double) {
    x();
    y();
    e.op(F.f64Mul);
    product();
    e.op(F.f64Ne);
    return;
  }
  // fma(x, y, −product) != 0 | |product| < tiny & product != 0
  x();
  if (HOST_HAS_FMA) e.any(V.f64x2Splat);
  y();
  if (HOST_HAS_FMA) e.any(V.f64x2Splat);
  product();
  e.op(F.f64Neg);
  if (HOST_HAS_FMA) e.any(V.f64x2Splat).any(Relaxed.f64x2Madd).any(V.f64x2ExtractLane, [0]);
  else s.fused(false);
  e.f64(0).op(F.f64Ne);
  product();
  e.op(F.f64Abs).f64(TINY).op(F.f64Lt);
  product();
  e.f64(0).op(F.f64Ne, Op.i32And, Op.i32Or);
}

/** Pushes 1 when `sum`, of the format, is not exactly x + y. */
function addDiffers(s: FloatSite, double: boolean, x: () => void, y: () => void, sum: () => void): void {
  const { e } = s;
  if (double) {
    sumDiffers(s, x, y, sum);
    return;
  }
  // The sum of two singles may need more bits than a double has.
  const total = s.take('f64');
  x();
  y();
  e.op(F.f64Add).set(total);
  sumDiffers(s, x, y, () => void e.get(total));
  e.get(total);
  sum();
  e.op(F.f64Ne, Op.i32Or);
}

/** Pushes 1 when the double `sum` is not exactly x + y, by the error of the sum. */
function sumDiffers(s: FloatSite, x: () => void, y: () => void, sum: () => void): void {
  const { e } = s;
  const virtual = s.take('f64');
  // virtual = sum − x; (x − (sum − virtual)) + (y − virtual) != 0
  sum();
  x();
  e.op(F.f64Sub).set(virtual);
  x();
  sum();
  e.get(virtual).op(F.f64Sub, F.f64Sub);
  y();
  e.get(virtual).op(F.f64Sub, F.f64Add).f64(0).op(F.f64Ne);
}

/** The bits of a single (i32), with the ones that a register has above them. */
const box = ({ e }: FloatSite): void =>
  void e
    .op(Op.i64ExtendI32U)
    .i64(-1n << 32n)
    .op(Op.i64Or);

function add(name: FpOperation, operands: 1 | 2 | 3, form: (s: FloatSite, double: boolean) => void): void {
  for (const double of [false, true])
    FORMS.set(operationCode(name, double), { operands, quiet: isQuiet(name), emit: (s) => form(s, double) });
}

const ARITHMETIC = [
  ['fadd', F.f64Add, F.f32Add],
  ['fsub', F.f64Sub, F.f32Sub],
  ['fmul', F.f64Mul, F.f32Mul],
  ['fdiv', F.f64Div, F.f32Div],
] as const;
for (const [name, op64, op32] of ARITHMETIC)
  add(name, 2, (s, double) => {
    // result = a op b
    number(s, double, 0);
    number(s, double, 1);
    s.e.op(double ? op64 : op32);
    finish(
      s,
      double,
      () => {
        // A sum that is zero is exact. A product or quotient that is zero is exact when an operand was zero already.
        if (name === 'fadd' || name === 'fsub') s.e.i32(1);
        else {
          isZero(s, double, 0);
          if (name === 'fmul') {
            isZero(s, double, 1);
            s.e.op(Op.i32Or);
          }
        }
      },
      (result) => {
        const [a, b] = ([0, 1] as const).map((n) => () => asDouble(s, double, n)) as [() => void, () => void];
        const r = (): void => widened(s, double, result);
        if (name === 'fmul') productDiffers(s, double, a, b, r);
        else if (name === 'fdiv') productDiffers(s, double, r, b, a);
        else addDiffers(s, double, a, name === 'fadd' ? b : minus(s, b), r);
      },
    );
  });
add('fsqrt', 1, (s, double) => {
  // result = √a
  number(s, double, 0);
  s.e.op(double ? F.f64Sqrt : F.f32Sqrt);
  finish(
    s,
    double,
    () => isZero(s, double, 0),
    (result) => {
      const r = (): void => widened(s, double, result);
      productDiffers(s, double, r, r, () => asDouble(s, double, 0));
    },
  );
});
add('frecip', 1, (s, double) => {
  // result = 1 / a
  if (double) s.e.f64(1);
  else s.e.f32(1);
  number(s, double, 0);
  s.e.op(double ? F.f64Div : F.f32Div);
  finish(s, double, undefined, (result) =>
    productDiffers(
      s,
      double,
      () => widened(s, double, result),
      () => asDouble(s, double, 0),
      () => void s.e.f64(1),
    ),
  );
});

for (const [name, negateC, negate] of [
  ['fmadd', false, false],
  ['fmsub', true, false],
  ['fnmadd', false, true],
  ['fnmsub', true, true],
] as const)
  add(name, 3, (s, double) => {
    const { e } = s;
    // The functions take singles as doubles.
    const wide = double || !HOST_HAS_FMA;
    // result = ±fma(a, b, ±c)
    for (const n of [0, 1, 2] as const) {
      number(s, double, n);
      if (wide && !double) e.op(F.f64PromoteF32);
      if (n === 2 && negateC) e.op(wide ? F.f64Neg : F.f32Neg);
      if (HOST_HAS_FMA) e.any(double ? V.f64x2Splat : V.f32x4Splat);
    }
    if (!HOST_HAS_FMA) s.fused(!double);
    else if (double) e.any(Relaxed.f64x2Madd).any(V.f64x2ExtractLane, [0]);
    else e.any(Relaxed.f32x4Madd).any(V.f32x4ExtractLane, [0]);
    if (negate) e.op(wide ? F.f64Neg : F.f32Neg);
    if (wide && !double) e.op(F.f32DemoteF64);
    finish(
      s,
      double,
      () => {
        // A zero is exact when product and summand are zeros. Otherwise it may be an underflow.
        isZero(s, double, 0);
        isZero(s, double, 1);
        e.op(Op.i32Or);
        isZero(s, double, 2);
        e.op(Op.i32And);
      },
      (result) => {
        const product = s.take('f64');
        const [a, b, c] = ([0, 1, 2] as const).map((n) => () => asDouble(s, double, n)) as [
          () => void,
          () => void,
          () => void,
        ];
        const p = (): void => void e.get(product);
        // product = a · b; fails when it is not exact; then the result must be exactly the sum
        a();
        b();
        e.op(F.f64Mul).set(product);
        if (double) {
          productDiffers(s, true, a, b, p);
          // A product of zero is exact only where an operand is zero.
          p();
          e.f64(0).op(F.f64Eq);
          isZero(s, true, 0);
          isZero(s, true, 1);
          e.op(Op.i32Or, Op.i32Eqz).op(Op.i32And, Op.i32Or);
        } else e.i32(0);
        const r = (): void => {
          widened(s, double, result);
          if (negate) e.op(F.f64Neg);
        };
        addDiffers(s, double, p, negateC ? minus(s, c) : c, r);
        e.op(Op.i32Or);
      },
    );
  });

// The class of a number is a bit: 2 to 5 for −∞, normal, subnormal and zero with a sign, 6 to 9 for those without one.
add('fclass', 1, (s, double) => {
  const { e } = s;
  const magnitude = s.take('i64');
  const leastNormal = 1n << (double ? 53n : 24n);
  const infinity = double ? BigInt.asIntN(64, 0x7ffn << 53n) : 0xffn << 24n;
  // magnitude = a << 1; fail if magnitude > ∞: a NaN
  s.operand(0);
  e.i64n(1).op(Op.i64Shl);
  if (!double) e.i64(0xffffffffn).op(Op.i64And);
  e.tee(magnitude).i64(infinity).op(Op.i64GtU);
  s.failIf();
  // 1 << (a < 0 ? 2 : 6) + (magnitude != ∞) + (magnitude < least normal) + (magnitude == 0)
  e.i64n(1);
  s.operand(0);
  if (!double) e.op(Op.i64Extend32S);
  e.i64n(0).op(Op.i64LtS).op(Op.i64ExtendI32U).i64n(2).op(Op.i64Shl).i64n(6).op(Op.i64Xor);
  for (const [limit, compare] of [
    [infinity, Op.i64Ne],
    [leastNormal, Op.i64LtU],
    [0n, Op.i64Eq],
  ] as const)
    e.get(magnitude).i64(limit).op(compare, Op.i64ExtendI32U, Op.i64Add);
  e.op(Op.i64Shl);
});

// Comparisons of numbers: less, equal and greater are bits 1, 2 and 4 of the condition's code.
const LESS = 2;
const EQUAL = 4;
const DIFFERENT = 16;
for (const [name, condition] of Object.entries(FCMP_CONDITIONS))
  add(`fcmp.${name}` as FpOperation, 2, (s, double) => {
    const { e } = s;
    const both = (op64: number, op32: number): void => {
      number(s, double, 0);
      number(s, double, 1);
      e.op(double ? op64 : op32);
    };
    // fail if (a != a || b != b): a NaN
    for (const n of [0, 1] as const) {
      number(s, double, n);
      number(s, double, n);
      e.op(double ? F.f64Ne : F.f32Ne);
    }
    e.op(Op.i32Or);
    s.failIf();
    // a < b, a == b, a <= b, or a != b
    const wanted = condition & (LESS | EQUAL | DIFFERENT);
    if (wanted === LESS) both(F.f64Lt, F.f32Lt);
    else if (wanted === EQUAL) both(F.f64Eq, F.f32Eq);
    else if (wanted === (LESS | EQUAL)) both(F.f64Le, F.f32Le);
    else if (wanted === 0) e.i32(0);
    else if (wanted & EQUAL) e.i32(1);
    else both(F.f64Ne, F.f32Ne);
    e.op(Op.i64ExtendI32U);
  });

const ROUNDINGS = [
  ['', F.f64Nearest, F.f32Nearest],
  ['rne', F.f64Nearest, F.f32Nearest],
  ['rz', F.f64Trunc, F.f32Trunc],
  ['rm', F.f64Floor, F.f32Floor],
  ['rp', F.f64Ceil, F.f32Ceil],
] as const;
for (const [rounding, op64, op32] of ROUNDINGS)
  for (const wide of [false, true])
    add(`ftint${rounding}.${wide ? 'l' : 'w'}` as FpOperation, 1, (s, double) => {
      const { e } = s;
      const rounded = s.take(double ? 'f64' : 'f32');
      // rounded = round(a); fail if !(|rounded| < limit)
      number(s, double, 0);
      e.op(double ? op64 : op32)
        .tee(rounded)
        .op(double ? F.f64Abs : F.f32Abs);
      const limit = wide ? 2 ** 63 : 2 ** 31;
      if (double) e.f64(limit).op(F.f64Lt);
      else e.f32(limit).op(F.f32Lt);
      e.op(Op.i32Eqz);
      s.failIf();
      s.unlessInexact(() => {
        e.get(rounded);
        number(s, double, 0);
        e.op(double ? F.f64Ne : F.f32Ne);
      });
      // (integer)rounded
      e.get(rounded);
      if (wide) e.op(double ? F.i64TruncF64S : F.i64TruncF32S);
      else {
        e.op(double ? F.i32TruncF64S : F.i32TruncF32S);
        // For the bits above a word, see `operate` in fpu/operations.ts.
        e.op(!double && (rounding === 'rz' || rounding === 'rne') ? Op.i64ExtendI32U : Op.i64ExtendI32S);
      }
    });

for (const wide of [false, true])
  add(`ffint.${wide ? 'l' : 'w'}` as FpOperation, 1, (s, double) => {
    const { e } = s;
    if (wide || !double)
      s.unlessInexact(() => {
        // a + limit >= 2 · limit, without sign: it may have more bits than the format
        s.operand(0);
        if (!wide) e.op(Op.i64Extend32S);
        const limit = 2n ** (double ? 53n : 24n);
        e.i64(limit)
          .op(Op.i64Add)
          .i64(2n * limit)
          .op(Op.i64GeU);
      });
    // (float)a
    s.operand(0);
    if (!wide) e.op(Op.i32WrapI64);
    if (double) e.op(wide ? F.f64ConvertI64S : F.f64ConvertI32S).op(F.i64ReinterpretF64);
    else {
      e.op(wide ? F.f32ConvertI64S : F.f32ConvertI32S).op(F.i32ReinterpretF32);
      box(s);
    }
  });

// Conversions to the format in the name, from the other format.
add('fcvt', 1, (s, double) => {
  // result = (other format)a
  number(s, !double, 0);
  s.e.op(double ? F.f64PromoteF32 : F.f32DemoteF64);
  finish(
    s,
    double,
    () => isZero(s, !double, 0),
    double
      ? undefined
      : (result) => {
          widened(s, false, result);
          number(s, true, 0);
          s.e.op(F.f64Ne);
        },
  );
});
