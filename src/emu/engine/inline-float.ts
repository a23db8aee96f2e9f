/**
 * Common cases of floating point as WebAssembly, for the interpreter and the translator. They apply while FCSR rounds
 * to nearest, traps nothing and has the inexact flag set already ({@link pushNotQuiet}). Then an operation with a
 * normal result changes only Cause, which is computed when somebody reads it (fpu/fpu.ts, `settle`). All other cases
 * use the exact path.
 */
import { FCMP_CONDITIONS, type FpOperation, operationCode } from '../softfloat/operations.ts';
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
}

/** Emits the operation. It leaves the 64-bit result on the stack. */
type Form = (site: FloatSite) => void;

const FORMS = new Map<number, { readonly operands: 1 | 2 | 3; readonly emit: Form }>();

/** FCSR: Enables, inexact flag, RM. */
const WATCHED = 0x1f | 0x10000 | 0x300;
const QUIET = 0x10000;

/** FCSR is on the stack. Pushes 1 where the forms do not apply. */
export const pushNotQuiet = (e: Emitter): void => void e.i32(WATCHED).op(Op.i32And).i32(QUIET).op(Op.i32Ne);

/** The form of an operation by its code, and how many operands it has. */
export const floatForm = (code: number): { readonly operands: 1 | 2 | 3; readonly emit: Form } | undefined =>
  FORMS.get(code);

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
function finish(s: FloatSite, double: boolean, zero: (() => void) | undefined): void {
  const { e } = s;
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
  e.get(bits);
  if (!double) box(s);
}

/** The bits of a single (i32), with the ones that a register has above them. */
const box = ({ e }: FloatSite): void =>
  void e
    .op(Op.i64ExtendI32U)
    .i64(-1n << 32n)
    .op(Op.i64Or);

function add(name: FpOperation, operands: 1 | 2 | 3, form: (s: FloatSite, double: boolean) => void): void {
  for (const double of [false, true])
    FORMS.set(operationCode(name, double), { operands, emit: (s) => form(s, double) });
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
    finish(s, double, () => {
      // A sum that is zero is exact. A product or quotient that is zero is exact when an operand was zero already.
      if (name === 'fadd' || name === 'fsub') s.e.i32(1);
      else {
        isZero(s, double, 0);
        if (name === 'fmul') {
          isZero(s, double, 1);
          s.e.op(Op.i32Or);
        }
      }
    });
  });
add('fsqrt', 1, (s, double) => {
  // result = √a
  number(s, double, 0);
  s.e.op(double ? F.f64Sqrt : F.f32Sqrt);
  finish(s, double, () => isZero(s, double, 0));
});
add('frecip', 1, (s, double) => {
  // result = 1 / a
  if (double) s.e.f64(1);
  else s.e.f32(1);
  number(s, double, 0);
  s.e.op(double ? F.f64Div : F.f32Div);
  finish(s, double, undefined);
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
    finish(s, double, () => {
      // A zero is exact when product and summand are zeros. Otherwise it may be an underflow.
      isZero(s, double, 0);
      isZero(s, double, 1);
      e.op(Op.i32Or);
      isZero(s, double, 2);
      e.op(Op.i32And);
    });
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
  finish(s, double, () => isZero(s, !double, 0));
});
