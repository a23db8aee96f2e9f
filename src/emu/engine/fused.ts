/**
 * Fused multiply-add from plain additions and multiplications, exactly rounded: Boldo and Melquiond, "Emulation of FMA and
 * correctly rounded sums: proved algorithms using rounding to odd" (IEEE Transactions on Computers, 2008). WebAssembly has
 * no fused operation whose result is the same everywhere.
 */
import { Emitter } from './wasm/emitter.ts';
import { assembleModule, type FuncImport, type FuncType } from './wasm/module.ts';
import { Float as F, Op } from './wasm/opcodes.ts';

/** a × b + c, or a NaN for operands that the algorithm does not cover. The single form works on widened operands. */
const FUSED: FuncType = { params: ['f64', 'f64', 'f64'], results: ['f64'] };
export const FUSED_IMPORTS: readonly FuncImport[] = [
  { name: 'fma', type: FUSED },
  { name: 'fmaSingle', type: FUSED },
];

// Within these bounds nothing overflows, and the error terms are exact.
const TINY = 2 ** -400;
const HUGE = 2 ** 400;
/** Dekker's constant: splits a double into halves of 26 bits. */
const SPLIT = 2 ** 27 + 1;

class Fused {
  private readonly e = new Emitter();
  private locals = 3;

  private local(): number {
    return this.locals++;
  }

  /** Pushes the NaN and returns unless least <= |x| <= most, or x is 0 where that is allowed. */
  private bound(x: number, zero: boolean): void {
    const { e } = this;
    e.get(x).op(F.f64Abs).f64(TINY).op(F.f64Ge).get(x).op(F.f64Abs).f64(HUGE).op(F.f64Le).op(Op.i32And);
    if (zero) e.get(x).f64(0).op(F.f64Eq).op(Op.i32Or);
    e.op(Op.i32Eqz);
    const out = e.if();
    e.f64(Number.NaN).op(Op.return);
    e.end(out);
  }

  /** Sum of two and what it loses. */
  private twoSum(a: number, b: number): { sum: number; error: number } {
    const { e } = this;
    const sum = this.local();
    const part = this.local();
    const error = this.local();
    e.get(a).get(b).op(F.f64Add).tee(sum).get(a).op(F.f64Sub).set(part);
    e.get(a).get(sum).get(part).op(F.f64Sub).op(F.f64Sub);
    e.get(b).get(part).op(F.f64Sub).op(F.f64Add).set(error);
    return { sum, error };
  }

  /** High and low half of a double. */
  private split(a: number): { high: number; low: number } {
    const { e } = this;
    const c = this.local();
    const high = this.local();
    const low = this.local();
    e.get(a).f64(SPLIT).op(F.f64Mul).tee(c).get(c).get(a).op(F.f64Sub).op(F.f64Sub).set(high);
    e.get(a).get(high).op(F.f64Sub).set(low);
    return { high, low };
  }

  /** Product of two and what it loses. */
  private twoProduct(a: number, b: number): { product: number; error: number } {
    const { e } = this;
    const product = this.local();
    const error = this.local();
    const x = this.split(a);
    const y = this.split(b);
    const times = (p: number, q: number): void => void e.get(p).get(q).op(F.f64Mul);
    e.get(a).get(b).op(F.f64Mul).set(product);
    times(x.low, y.low);
    e.get(product);
    times(x.high, y.high);
    e.op(F.f64Sub);
    times(x.low, y.high);
    e.op(F.f64Sub);
    times(x.high, y.low);
    e.op(F.f64Sub).op(F.f64Sub).set(error);
    return { product, error };
  }

  /** Pushes a + b rounded to odd: of the two neighbours of an inexact sum the one with the odd significand. */
  private oddSum(a: number, b: number): void {
    const { e } = this;
    const { sum, error } = this.twoSum(a, b);
    const bits = this.wide();
    e.get(sum).op(F.i64ReinterpretF64).set(bits);
    e.get(error).f64(0).op(F.f64Ne).get(bits).op(Op.i32WrapI64).i32(1).op(Op.i32And).op(Op.i32Eqz).op(Op.i32And);
    const even = e.if();
    // Away from zero when sum and error have the same sign.
    e.get(bits).i64n(1).i64n(-1);
    e.get(bits).get(error).op(F.i64ReinterpretF64).op(Op.i64Xor).i64n(0).op(Op.i64GeS);
    e.op(Op.select).op(Op.i64Add).set(bits);
    e.end(even);
    e.get(bits).op(F.f64ReinterpretI64);
  }

  private readonly wides: number[] = [];
  /** An i64 local: they stand after all doubles. */
  private wide(): number {
    const index = 3 + DOUBLES + this.wides.length;
    this.wides.push(index);
    return index;
  }

  double(): Uint8Array {
    const { e } = this;
    // With a zero factor the plain operations are exact.
    e.get(0).f64(0).op(F.f64Eq).get(1).f64(0).op(F.f64Eq).op(Op.i32Or);
    const plain = e.if();
    e.get(0).get(1).op(F.f64Mul).get(2).op(F.f64Add).op(Op.return);
    e.end(plain);
    this.bound(0, false);
    this.bound(1, false);
    this.bound(2, true);
    const u = this.twoProduct(0, 1);
    const t = this.twoSum(2, u.error);
    const v = this.twoSum(u.product, t.sum);
    const z = this.local();
    this.oddSum(t.error, v.error);
    e.set(z).get(v.sum).get(z).op(F.f64Add).op(Op.end);
    return e.bytes.view();
  }

  /** The product of two singles is exact in a double; the sum, rounded to odd there, rounds to the single once. */
  single(): Uint8Array {
    const { e } = this;
    const product = this.local();
    e.get(0).get(1).op(F.f64Mul).set(product);
    this.oddSum(product, 2);
    e.op(F.f32DemoteF64).op(F.f64PromoteF32).op(Op.end);
    return e.bytes.view();
  }
}
/** Room for the doubles of either function. */
const DOUBLES = 32;

/** The two functions, by their import names. */
export function fusedFunctions(
  memory: WebAssembly.Memory,
  memoryPages: number,
): Record<string, WebAssembly.ImportValue> {
  const locals = [...new Array(DOUBLES).fill('f64'), 'i64', 'i64'];
  const code = assembleModule({
    memoryPages,
    tables: [],
    imports: [],
    functions: [
      { name: 'fma', type: FUSED, locals, body: new Fused().double() },
      { name: 'fmaSingle', type: FUSED, locals, body: new Fused().single() },
    ],
  });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  return { fma: exports.fma!, fmaSingle: exports.fmaSingle! } as Record<string, WebAssembly.ImportValue>;
}
