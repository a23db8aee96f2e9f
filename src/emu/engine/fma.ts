/**
 * Fused multiply-add made of plain additions and multiplications, rounded exactly: Boldo and Melquiond, "Emulation of
 * FMA and correctly rounded sums: proved algorithms using rounding to odd" (IEEE Transactions on Computers, 2008).
 * WebAssembly has no fused operation whose result is the same on every computer.
 */
import { Emitter, type Local, Locals } from '../wasm/emitter.ts';
import { assembleModule, type FuncDef, type FuncImport, type FuncType } from '../wasm/module.ts';
import { Float as F, laneOpcode, Op, Relaxed, SimdByWidth, Simd as V } from '../wasm/opcodes.ts';

/**
 * a × b + c, or a NaN when the algorithm does not work for the operands. The single form takes operands that are
 * extended to doubles.
 */
const FUSED: FuncType = { params: ['f64', 'f64', 'f64'], results: ['f64'] };
/** The same for vectors of two doubles and of four singles, element by element. */
const FUSED_VECTOR: FuncType = { params: ['v128', 'v128', 'v128'], results: ['v128'] };
export const FMA_IMPORTS: readonly FuncImport[] = [
  { name: 'fma', type: FUSED },
  { name: 'fmaSingle', type: FUSED },
  { name: 'fmaVector', type: FUSED_VECTOR },
  { name: 'fmaVectorSingle', type: FUSED_VECTOR },
];

// Within these bounds nothing overflows, and the error terms are exact.
const TINY = 2 ** -400;
const HUGE = 2 ** 400;
/** Dekker's constant. It splits a double into halves of 26 bits. */
const SPLIT = 2 ** 27 + 1;

/** Elements of 64 bits, in the form in which the opcode tables give widths. */
const DOUBLE = 3;

/** The steps of the algorithm for either form: for doubles (`T` is f64), or for vectors of two doubles (v128). */
abstract class Fused<T extends 'f64' | 'v128'> {
  protected readonly e = new Emitter();
  protected readonly locals = new Locals();
  private readonly ty: T;
  /** Parameters: a × b + c. */
  protected readonly a: Local<T>;
  protected readonly b: Local<T>;
  protected readonly c: Local<T>;

  constructor(ty: T) {
    this.ty = ty;
    this.a = this.local();
    this.b = this.local();
    this.c = this.local();
  }

  protected abstract add(): void;
  protected abstract sub(): void;
  protected abstract mul(): void;
  /** Pushes a literal. */
  protected abstract literal(value: number): void;
  /** Pushes a + b rounded to odd: when the sum is inexact, the neighbour with the odd significand. */
  protected abstract oddSum(a: Local<T>, b: Local<T>): void;

  protected local(): Local<T> {
    return this.locals.take(this.ty);
  }

  /** The sum of two numbers and its rounding error. */
  protected twoSum(a: Local<T>, b: Local<T>): { sum: Local<T>; error: Local<T> } {
    const { e } = this;
    const sum = this.local();
    const part = this.local();
    const error = this.local();
    // sum = a + b; part = sum − a; error = (a − (sum − part)) + (b − part)
    e.get(a).get(b);
    this.add();
    e.tee(sum).get(a);
    this.sub();
    e.set(part).get(a).get(sum).get(part);
    this.sub();
    this.sub();
    e.get(b).get(part);
    this.sub();
    this.add();
    e.set(error);
    return { sum, error };
  }

  /** The high and low half of a double. */
  private split(a: Local<T>): { high: Local<T>; low: Local<T> } {
    const { e } = this;
    const c = this.local();
    const high = this.local();
    const low = this.local();
    // c = a × SPLIT; high = c − (c − a); low = a − high
    e.get(a);
    this.literal(SPLIT);
    this.mul();
    e.tee(c).get(c).get(a);
    this.sub();
    this.sub();
    e.set(high).get(a).get(high);
    this.sub();
    e.set(low);
    return { high, low };
  }

  /** The product of two numbers and its rounding error. */
  private twoProduct(a: Local<T>, b: Local<T>): { product: Local<T>; error: Local<T> } {
    const { e } = this;
    const product = this.local();
    const error = this.local();
    const x = this.split(a);
    const y = this.split(b);
    const times = (p: Local<T>, q: Local<T>): void => {
      e.get(p).get(q);
      this.mul();
    };
    // product = a × b; error = x.low × y.low − (((product − x.high × y.high) − x.low × y.high) − x.high × y.low)
    times(a, b);
    e.set(product);
    times(x.low, y.low);
    e.get(product);
    times(x.high, y.high);
    this.sub();
    times(x.low, y.high);
    this.sub();
    times(x.high, y.low);
    this.sub();
    this.sub();
    e.set(error);
    return { product, error };
  }

  /** Pushes a × b + c of the parameters, which must be within the bounds. */
  protected exactly(): void {
    const { e } = this;
    // u = a × b; t = c + u.error; v = u.product + t.sum; v.sum + (t.error + v.error rounded to odd)
    const u = this.twoProduct(this.a, this.b);
    const t = this.twoSum(this.c, u.error);
    const v = this.twoSum(u.product, t.sum);
    const z = this.local();
    this.oddSum(t.error, v.error);
    e.set(z).get(v.sum).get(z);
    this.add();
  }

  /** Pushes a × b + c rounded to odd, for numbers whose product is exact. */
  protected oddly(a: Local<T>, b: Local<T>, c: Local<T>): void {
    const { e } = this;
    // a × b + c rounded to odd
    const product = this.local();
    e.get(a).get(b);
    this.mul();
    e.set(product);
    this.oddSum(product, c);
  }

  protected finished(name: string, type: FuncType): FuncDef {
    const body = this.e.op(Op.end).bytes.view();
    return { name, type, locals: this.locals.all().slice(type.params.length), body };
  }
}

class FusedNumbers extends Fused<'f64'> {
  protected add(): void {
    this.e.op(F.f64Add);
  }
  protected sub(): void {
    this.e.op(F.f64Sub);
  }
  protected mul(): void {
    this.e.op(F.f64Mul);
  }
  protected literal(value: number): void {
    this.e.f64(value);
  }

  protected oddSum(a: Local<'f64'>, b: Local<'f64'>): void {
    const { e } = this;
    // bits = sum; if (error != 0 && bits is even) bits += (bits ^ error) >= 0 ? 1 : −1
    const { sum, error } = this.twoSum(a, b);
    const bits = this.locals.take('i64');
    e.get(sum).op(F.i64ReinterpretF64).set(bits);
    e.get(error).f64(0).op(F.f64Ne).get(bits).op(Op.i32WrapI64).i32(1).op(Op.i32And).op(Op.i32Eqz).op(Op.i32And);
    const even = e.if();
    // The value moves away from zero when sum and error have the same sign.
    e.get(bits).i64n(1).i64n(-1);
    e.get(bits).get(error).op(F.i64ReinterpretF64).op(Op.i64Xor).i64n(0).op(Op.i64GeS);
    e.op(Op.select).op(Op.i64Add).set(bits);
    e.end(even);
    e.get(bits).op(F.f64ReinterpretI64);
  }

  /** Returns the NaN unless least <= |x| <= most, or x is 0 where zero is allowed. */
  private bound(x: Local<'f64'>, zero: boolean): void {
    const { e } = this;
    // if (!(TINY <= |x| && |x| <= HUGE || x == 0)) return NaN
    e.get(x).op(F.f64Abs).f64(TINY).op(F.f64Ge).get(x).op(F.f64Abs).f64(HUGE).op(F.f64Le).op(Op.i32And);
    if (zero) e.get(x).f64(0).op(F.f64Eq).op(Op.i32Or);
    e.op(Op.i32Eqz);
    const out = e.if();
    e.f64(Number.NaN).op(Op.return);
    e.end(out);
  }

  double(name: string): FuncDef {
    const { e, a, b, c } = this;
    // With a zero factor the plain operations are exact.
    e.get(a).f64(0).op(F.f64Eq).get(b).f64(0).op(F.f64Eq).op(Op.i32Or);
    const plain = e.if();
    e.get(a).get(b).op(F.f64Mul).get(c).op(F.f64Add).op(Op.return);
    e.end(plain);
    this.bound(a, false);
    this.bound(b, false);
    this.bound(c, true);
    this.exactly();
    return this.finished(name, FUSED);
  }

  /** The product of two singles is exact in a double. The sum is rounded to odd as a double, then once to a single. */
  single(name: string): FuncDef {
    this.oddly(this.a, this.b, this.c);
    this.e.op(F.f32DemoteF64, F.f64PromoteF32);
    return this.finished(name, FUSED);
  }
}

class FusedVectors extends Fused<'v128'> {
  protected add(): void {
    this.e.any(V.f64x2Add);
  }
  protected sub(): void {
    this.e.any(V.f64x2Sub);
  }
  protected mul(): void {
    this.e.any(V.f64x2Mul);
  }
  protected literal(value: number): void {
    this.e.f64(value).any(V.f64x2Splat);
  }

  protected oddSum(a: Local<'v128'>, b: Local<'v128'>): void {
    const { e } = this;
    // sum + (((sum ^ error) >= 0 ? 1 : −1) & (error != 0) & ((sum & 1) == 0))
    const { sum, error } = this.twoSum(a, b);
    const one = (value: number): void => void e.i64n(value).any(SimdByWidth.splat[DOUBLE]);
    e.get(sum);
    one(1);
    one(-1);
    e.get(sum).get(error).any(V.v128Xor);
    one(0);
    e.any(SimdByWidth.geS[DOUBLE]).any(V.v128Bitselect);
    e.get(error);
    this.literal(0);
    e.any(V.f64x2Ne).any(V.v128And);
    e.get(sum);
    one(1);
    e.any(V.v128And);
    one(0);
    e.any(SimdByWidth.eq[DOUBLE]).any(V.v128And).any(laneOpcode(DOUBLE, 'add'));
  }

  /** Pushes all ones where least <= |x| <= most. */
  private bounded(x: Local<'v128'>): void {
    const { e } = this;
    // TINY <= |x| & |x| <= HUGE
    e.get(x).any(V.f64x2Abs);
    this.literal(TINY);
    e.any(V.f64x2Ge).get(x).any(V.f64x2Abs);
    this.literal(HUGE);
    e.any(V.f64x2Le).any(V.v128And);
  }

  double(name: string): FuncDef {
    const { e, a, b, c } = this;
    const isZero = (x: Local<'v128'>): void => {
      e.get(x);
      this.literal(0);
      e.any(V.f64x2Eq);
    };
    const plain = this.local();
    const result = this.local();
    // plain = a == 0 | b == 0; result = exactly
    isZero(a);
    isZero(b);
    e.any(V.v128Or).set(plain);
    this.exactly();
    e.set(result);
    // Out of bounds: the result is a NaN.
    e.get(result);
    this.literal(Number.NaN);
    this.bounded(a);
    this.bounded(b);
    e.any(V.v128And);
    this.bounded(c);
    isZero(c);
    e.any(V.v128Or).any(V.v128And).any(V.v128Bitselect).set(result);
    // plain ? a × b + c : result
    e.get(a).get(b).any(V.f64x2Mul).get(c).any(V.f64x2Add).get(result).get(plain).any(V.v128Bitselect);
    return this.finished(name, FUSED_VECTOR);
  }

  single(name: string): FuncDef {
    const { e, a, b, c } = this;
    const half = (high: boolean): void => {
      // rounds once: demote(a × b + c rounded to odd, as doubles)
      const widened = [a, b, c].map((x) => {
        const w = this.local();
        e.get(x);
        if (high) e.get(x).any(V.i8x16Shuffle, HIGH_HALF);
        e.any(V.f64x2PromoteLow).set(w);
        return w;
      });
      this.oddly(widened[0]!, widened[1]!, widened[2]!);
      e.any(V.f32x4DemoteZero);
    };
    half(false);
    half(true);
    e.any(V.i8x16Shuffle, BOTH_LOW);
    return this.finished(name, FUSED_VECTOR);
  }
}
/** Bytes of shuffles: one moves the high half into the low half, the other joins the low halves of two vectors. */
const HIGH_HALF = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
const BOTH_LOW = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

/** Operands, of doubles and of singles, for which a × b + c gives another result when it rounds twice. */
const PROBE = { a: 1 + 2 ** -27, b: 1 + 2 ** -27, c: -(1 + 2 ** -26), fused: 2 ** -54 };
const PROBE_SINGLE = { a: 1 + 2 ** -12, b: 1 + 2 ** -12, c: -(1 + 2 ** -11), fused: 2 ** -24 };

/**
 * Does the relaxed multiply-add of the computer that runs loongscope round once? Then it is the fused operation
 * itself. It gives the same results as the functions here, and is much faster.
 */
function probe(): boolean {
  const splat = (e: Emitter, x: number, single: boolean): Emitter =>
    single ? e.f32(x).any(V.f32x4Splat) : e.f64(x).any(V.f64x2Splat);
  const test = (single: boolean): Uint8Array => {
    const e = new Emitter();
    const { a, b, c } = single ? PROBE_SINGLE : PROBE;
    for (const x of [a, b, c]) splat(e, x, single);
    if (single) e.any(Relaxed.f32x4Madd).any(V.f32x4ExtractLane, [0]).op(F.f64PromoteF32);
    else e.any(Relaxed.f64x2Madd).any(V.f64x2ExtractLane, [0]);
    return e.op(Op.end).bytes.view();
  };
  const type: FuncType = { params: [], results: ['f64'] };
  const code = assembleModule({
    tables: [],
    imports: [],
    functions: [
      { name: 'double', type, locals: [], body: test(false) },
      { name: 'single', type, locals: [], body: test(true) },
    ],
  });
  try {
    const memory = new WebAssembly.Memory({ initial: 0, maximum: 0 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
    const value = (name: string): number => (exports[name] as () => number)();
    return value('double') === PROBE.fused && value('single') === PROBE_SINGLE.fused;
  } catch {
    // This runtime has no relaxed SIMD.
    return false;
  }
}
export const HOST_HAS_FMA = probe();

/** The functions, by the names under which they are imported. */
export function fmaFunctions(memory: WebAssembly.Memory, shared: boolean): Record<string, WebAssembly.ImportValue> {
  const code = assembleModule({
    shared,
    tables: [],
    imports: [],
    functions: [
      new FusedNumbers('f64').double('fma'),
      new FusedNumbers('f64').single('fmaSingle'),
      new FusedVectors('v128').double('fmaVector'),
      new FusedVectors('v128').single('fmaVectorSingle'),
    ],
  });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  return Object.fromEntries(FMA_IMPORTS.map(({ name }) => [name, exports[name] as WebAssembly.ImportValue]));
}
