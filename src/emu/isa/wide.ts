/** Arithmetic of definitions on 128-bit numbers, in 64-bit halves. */
import * as $ from './semantics.ts';
import { c64, type Node, type Semantics } from './semantics.ts';

/** A 128-bit number of two i64 nodes, low first. */
export type Wide = readonly [Node, Node];
export const addWide = (s: Semantics, a: Wide, b: Wide): Wide => {
  const lo = s.let($.add(a[0], b[0]));
  return [lo, $.add($.add(a[1], b[1]), $.zx($.ltU(lo, a[0])))];
};
export const subWide = (a: Wide, b: Wide): Wide => [
  $.sub(a[0], b[0]),
  $.sub($.sub(a[1], b[1]), $.zx($.ltU(a[0], b[0]))),
];
export const extendWide = (signed: boolean, x: Node): Wide => [x, signed ? $.shrS(x, c64(63)) : c64(0)];

/** High half of the 128-bit product of two unsigned values, from four 64-bit products. */
export function mulHighU(s: Semantics, a: Node, b: Node): Node {
  const lo = (x: Node): Node => $.and(x, c64(0xffffffffn));
  const hi = (x: Node): Node => $.shrU(x, c64(32));
  const t = s.let($.add($.mul(hi(a), lo(b)), hi($.mul(lo(a), lo(b)))));
  const u = s.let($.add($.mul(lo(a), hi(b)), lo(t)));
  return $.add($.add($.mul(hi(a), hi(b)), hi(t)), hi(u));
}

/** High half, with each operand signed or unsigned: the excess of the unsigned product is subtracted. */
export function mulHigh(s: Semantics, a: Node, signedA: boolean, b: Node, signedB: boolean): Node {
  const correction = (x: Node, signed: boolean, other: Node): Node =>
    signed ? $.and($.shrS(x, c64(63)), other) : c64(0);
  return $.sub($.sub(mulHighU(s, a, b), correction(a, signedA, b)), correction(b, signedB, a));
}

/** Shifts right by 0..127 (i64); the sign comes in from above when `signed`. */
export function shrWide(s: Semantics, signed: boolean, [lo, hi]: Wide, n: Node): Wide {
  const top = s.let(signed ? $.shrS(hi, c64(63)) : c64(0));
  const far = $.ne($.and(n, c64(64)), c64(0));
  // (hi << 1) << (63 − n) is hi << (64 − n), and 0 for n = 0.
  const near = $.or($.shrU(lo, n), $.shl($.shl(hi, c64(1)), $.xor(n, c64(63))));
  const high = signed ? $.shrS(hi, n) : $.shrU(hi, n);
  return [s.let($.sel(far, high, near)), s.let($.sel(far, top, high))];
}
