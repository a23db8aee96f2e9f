/**
 * The vocabulary of vector definitions: 128-bit nodes as WebAssembly SIMD operations on elements of 8 (`b`), 16 (`h`),
 * 32 (`w`) and 64 bits (`d`), and element by element where SIMD has no such operation.
 */
import { laneOpcode, Simd, SimdByWidth } from '../wasm/opcodes.ts';
import { c32, c64, type Half, type Node, op, type Semantics, w } from './semantics.ts';

export type Element = 'b' | 'h' | 'w' | 'd';
export const ELEMENTS: readonly Element[] = ['b', 'h', 'w', 'd'];
const LOG = { b: 0, h: 1, w: 2, d: 3 } as const satisfies Record<Element, number>;
/** Bits of an element. */
export const bitsOf = (e: Element): number => 8 << LOG[e];
/** Elements in 128 bits. */
export const countOf = (e: Element): number => 16 >> LOG[e];
/** The element of half and of twice the width. */
export const narrower = (e: Element): Element => ELEMENTS[LOG[e] - 1]!;
export const wider = (e: Element): Element => ELEMENTS[LOG[e] + 1]!;

const opcode = (e: Element, name: Parameters<typeof laneOpcode>[1]): number => laneOpcode(LOG[e], name);
const v = (code: number, ...args: Node[]): Node => op('v128', code, ...args);

export const not = (a: Node): Node => v(Simd.v128Not, a);
export const and = (a: Node, b: Node): Node => v(Simd.v128And, a, b);
/** a and not b. */
export const andNot = (a: Node, b: Node): Node => v(Simd.v128AndNot, a, b);
export const or = (a: Node, b: Node): Node => v(Simd.v128Or, a, b);
export const xor = (a: Node, b: Node): Node => v(Simd.v128Xor, a, b);
/** Bits of `a` where `mask` is 1, of `b` elsewhere. */
export const select = (a: Node, b: Node, mask: Node): Node => v(Simd.v128Bitselect, a, b, mask);
/** 1 when any bit is set, as i32. */
export const anyTrue = (a: Node): Node => op('i32', Simd.v128AnyTrue, a);
export const allTrue = (e: Element, a: Node): Node => op('i32', opcode(e, 'allTrue'), a);
/** How many bits are set, for each byte. */
export const setBits = (a: Node): Node => v(Simd.i8x16Popcnt, a);
/** The top bit of every element, as i32. */
export const bitmask = (e: Element, a: Node): Node => op('i32', opcode(e, 'bitmask'), a);

export const add = (e: Element, a: Node, b: Node): Node => v(opcode(e, 'add'), a, b);
export const sub = (e: Element, a: Node, b: Node): Node => v(opcode(e, 'sub'), a, b);
export const abs = (e: Element, a: Node): Node => v(opcode(e, 'abs'), a);
export const neg = (e: Element, a: Node): Node => v(opcode(e, 'neg'), a);
/** Shifts of every element by the same number of bits (i32), modulo the element's width. */
export const shl = (e: Element, a: Node, n: Node): Node => v(opcode(e, 'shl'), a, n);
export const shrS = (e: Element, a: Node, n: Node): Node => v(opcode(e, 'shrS'), a, n);
export const shrU = (e: Element, a: Node, n: Node): Node => v(opcode(e, 'shrU'), a, n);
export const shr = (e: Element, signed: boolean, a: Node, n: Node): Node => (signed ? shrS : shrU)(e, a, n);

/** The same value in every element: i64 for `d`, otherwise i32. */
export const splat = (e: Element, a: Node): Node => v(SimdByWidth.splat[LOG[e]], a);
/** A 64-bit value, truncated, in every element. */
export const splat64 = (e: Element, a: Node): Node => splat(e, e === 'd' ? a : w(a));
/** A literal in every element. */
export const constant = (e: Element, value: number | bigint): Node => {
  const size = 1 << LOG[e];
  const bits = BigInt.asUintN(8 * size, BigInt(value));
  const bytes = Array.from({ length: 16 }, (_, i) => Number((bits >> BigInt(8 * (i % size))) & 0xffn));
  return { k: 'v128', ty: 'v128', bytes };
};
const ZERO = constant('b', 0);

/** Element `i` as i64 for `d`, else as i32, extended. */
export function extract(e: Element, signed: boolean, a: Node, i: number): Node {
  const code = (signed ? SimdByWidth.extractS : SimdByWidth.extractU)[LOG[e]];
  return { k: 'op', ty: e === 'd' ? 'i64' : 'i32', opcode: code, args: [a], immediate: [i] };
}
export function replace(e: Element, a: Node, i: number, value: Node): Node {
  return { k: 'op', ty: 'v128', opcode: SimdByWidth.replace[LOG[e]], args: [a, value], immediate: [i] };
}
/** A vector of the given elements, as `extract` types them. */
export const build = (e: Element, elements: readonly Node[]): Node =>
  elements.reduce((vector, x, i) => replace(e, vector, i, x), ZERO);
/** Byte i of the result is byte bytes[i] of a (0–15) and b (16–31). */
export const shuffle = (a: Node, b: Node, bytes: readonly number[]): Node => ({
  k: 'op',
  ty: 'v128',
  opcode: Simd.i8x16Shuffle,
  args: [a, b],
  immediate: bytes,
});
/** Element i of the result is element picks[i] of a and, from countOf(e) on, of b. */
export const pick = (e: Element, a: Node, b: Node, picks: readonly number[]): Node => {
  const size = 1 << LOG[e];
  return shuffle(
    a,
    b,
    picks.flatMap((p) => Array.from({ length: size }, (_, k) => p * size + k)),
  );
};
/** Bytes of `a` by the indices in `b`; 0 for an index over 15. */
export const swizzle = (a: Node, b: Node): Node => v(Simd.i8x16Swizzle, a, b);

/** Low or high half of the elements, extended to twice the width `e`. */
export const extend = (e: Element, signed: boolean, high: boolean, a: Node): Node =>
  v(opcode(e, high ? (signed ? 'extendHighS' : 'extendHighU') : signed ? 'extendLowS' : 'extendLowU'), a);
/** Even or odd elements of half the width, extended to the elements of width `e`. */
export const extendEvery = (e: Element, signed: boolean, odd: boolean, a: Node): Node => {
  const half = c32(bitsOf(e) / 2);
  return shr(e, signed, odd ? a : shl(e, a, half), half);
};

/** Comparisons give elements of all ones or all zeros. Unsigned doublewords are compared with inverted top bits. */
export function lessThan(e: Element, signed: boolean, a: Node, b: Node, orEqual = false): Node {
  if (e === 'd') {
    const flip = (x: Node): Node => (signed ? x : xor(x, constant('d', 1n << 63n)));
    return v((orEqual ? SimdByWidth.leS : SimdByWidth.ltS)[LOG[e]], flip(a), flip(b));
  }
  if (signed) return v((orEqual ? SimdByWidth.leS : SimdByWidth.ltS)[LOG[e]], a, b);
  return v((orEqual ? SimdByWidth.leU : SimdByWidth.ltU)[LOG[e]], a, b);
}
export const equal = (e: Element, a: Node, b: Node): Node => v(SimdByWidth.eq[LOG[e]], a, b);

export function max(e: Element, signed: boolean, a: Node, b: Node): Node {
  return e === 'd' ? select(b, a, lessThan(e, signed, a, b)) : v(opcode(e, signed ? 'maxS' : 'maxU'), a, b);
}
export function min(e: Element, signed: boolean, a: Node, b: Node): Node {
  return e === 'd' ? select(a, b, lessThan(e, signed, a, b)) : v(opcode(e, signed ? 'minS' : 'minU'), a, b);
}

/** Low halves of the products. SIMD lacks it for bytes: products of even and of odd bytes in halfwords. */
export function mul(e: Element, a: Node, b: Node): Node {
  if (e !== 'b') return v(opcode(e, 'mul'), a, b);
  const even = v(opcode('h', 'mul'), a, b);
  const odd = v(opcode('h', 'mul'), shrU('h', a, c32(8)), shrU('h', b, c32(8)));
  return or(and(even, constant('h', 0xff)), shl('h', odd, c32(8)));
}

/** The context of one 128-bit half of a definition: its registers are read once. */
export class Lanes {
  readonly s: Semantics;
  readonly half: Half;
  private readonly known = new Map<string, Node>();

  constructor(s: Semantics, half: Half) {
    this.s = s;
    this.half = half;
  }

  private register(which: 'vd' | 'vj' | 'vk' | 'va'): Node {
    let node = this.known.get(which);
    if (!node) this.known.set(which, (node = this.s.let(this.s.vector(which, this.half))));
    return node;
  }

  get vj(): Node {
    return this.register('vj');
  }
  get vk(): Node {
    return this.register('vk');
  }
  get va(): Node {
    return this.register('va');
  }
  /** The old value of vd. */
  get vd(): Node {
    return this.register('vd');
  }

  /** Every element by `f`, which sees i64 for `d` and i32 else, extended as `signed` says. */
  map(e: Element, signed: boolean, sources: readonly Node[], f: (...x: Node[]) => Node): Node {
    const kept = sources.map((x) => (x.k === 'local' || x.k === 'v128' ? x : this.s.let(x)));
    return build(
      e,
      Array.from({ length: countOf(e) }, (_, i) => f(...kept.map((x) => this.s.let(extract(e, signed, x, i))))),
    );
  }

  /** The two doublewords of a vector. */
  doublewords(x: Node): [Node, Node] {
    const kept = x.k === 'local' ? x : this.s.let(x);
    return [this.s.let(extract('d', false, kept, 0)), this.s.let(extract('d', false, kept, 1))];
  }
}

/** A literal of the type in which {@link Lanes.map} shows an element. */
export const literal = (e: Element, value: number | bigint): Node =>
  e === 'd' ? c64(value) : c32(Number(BigInt.asIntN(32, BigInt(value))));
