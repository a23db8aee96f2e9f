/** Addition, subtraction, averages, extremes, products and quotients of elements (LSX and LASX). */
import * as L from '../../lanes.ts';
import type { Row } from '../../row.ts';
import * as $ from '../../semantics.ts';
import { c32, type Node } from '../../semantics.ts';
import { addWide, mulHigh, subWide } from '../../wide.ts';
import { type Kind, lanewise, SIGNED, THREE, three, threeImmediate, two, UNSIGNED } from './family.ts';

/** SIMD saturates bytes and halfwords; for the others the carry or overflow is tested. */
function saturating(add: boolean, v: L.Lanes, { e, signed }: Kind): Node {
  const code = { b: 0xfd6f, h: 0xfd8f }[e as 'b' | 'h'];
  if (code !== undefined) return $.op('v128', code + (add ? 0 : 3) + (signed ? 0 : 1), v.vj, v.vk);
  const plain = v.s.let(add ? L.add(e, v.vj, v.vk) : L.sub(e, v.vj, v.vk));
  if (!signed)
    return add ? L.or(plain, L.lessThan(e, false, plain, v.vj)) : L.andNot(plain, L.lessThan(e, false, v.vj, v.vk));
  // Overflow: the operands' signs (of −vk when subtracting) agree and the result's does not.
  const differ = L.xor(v.vj, v.vk);
  const wrong = L.and(L.xor(v.vj, plain), add ? L.not(differ) : differ);
  const top = c32(L.bitsOf(e) - 1);
  const limit = L.xor(L.shrS(e, v.vj, top), L.constant(e, (1n << BigInt(L.bitsOf(e) - 1)) - 1n));
  return L.select(limit, plain, L.shrS(e, wrong, top));
}

/** Half of the sum without losing the carry; `up` rounds. */
function average(up: boolean, v: L.Lanes, { e, signed }: Kind): Node {
  const half = L.shr(e, signed, L.xor(v.vj, v.vk), c32(1));
  return up ? L.sub(e, L.or(v.vj, v.vk), half) : L.add(e, L.and(v.vj, v.vk), half);
}

/** High halves of the products. */
function mulHighLanes(v: L.Lanes, { e, signed }: Kind): Node {
  if (e === 'd') {
    const [a0, a1] = v.doublewords(v.vj);
    const [b0, b1] = v.doublewords(v.vk);
    return L.build('d', [mulHigh(v.s, a0, signed, b0, signed), mulHigh(v.s, a1, signed, b1, signed)]);
  }
  const wide = L.wider(e);
  const product = (odd: boolean): Node =>
    L.mul(wide, L.extendEvery(wide, signed, odd, v.vj), L.extendEvery(wide, signed, odd, v.vk));
  const bits = L.bitsOf(e);
  const upper = L.constant(wide, ((1n << BigInt(bits)) - 1n) << BigInt(bits));
  return L.or(L.shrU(wide, product(false), c32(bits)), L.and(product(true), upper));
}

/**
 * Quotients and remainders. The manual does not define x / 0; here, as on the oracle, both are 0. The one quotient that
 * overflows is the dividend, with remainder 0.
 */
const division =
  (remainder: boolean) =>
  (v: L.Lanes, { e, signed }: Kind): Node =>
    v.map(e, signed, [v.vj, v.vk], (a, b) => {
      const zero = $.isZero(b);
      // WebAssembly's division also traps for the most negative value divided by −1, at full width.
      const minusOne = $.eq(b, L.literal(e, -1));
      const guard = signed ? $.or(zero, minusOne) : zero;
      const divisor = $.sel(guard, L.literal(e, 1), b);
      const divide = remainder ? (signed ? $.remS : $.remU) : signed ? $.divS : $.divU;
      const plain = divide(a, divisor);
      const nothing = L.literal(e, 0);
      const byMinusOne = remainder ? nothing : $.sub(nothing, a);
      return $.sel(zero, nothing, signed ? $.sel(minusOne, byMinusOne, plain) : plain);
    });

const immediate = (v: L.Lanes, { e }: Kind, name: 'ui5' | 'si5'): Node => v.s.let(L.splat64(e, v.s.imm(name)));

export const VECTOR_INTEGER: readonly Row[] = [
  ...three('vadd', 0x700a0000, SIGNED, (v, k) => L.add(k.e, v.vj, v.vk)),
  ...three('vsub', 0x700c0000, SIGNED, (v, k) => L.sub(k.e, v.vj, v.vk)),
  ...three('vsadd', 0x70460000, SIGNED, (v, k) => saturating(true, v, k)),
  ...three('vssub', 0x70480000, SIGNED, (v, k) => saturating(false, v, k)),
  ...three('vsadd', 0x704a0000, UNSIGNED, (v, k) => saturating(true, v, k)),
  ...three('vssub', 0x704c0000, UNSIGNED, (v, k) => saturating(false, v, k)),
  ...three('vadda', 0x705c0000, SIGNED, (v, k) => L.add(k.e, L.abs(k.e, v.vj), L.abs(k.e, v.vk))),
  ...[...three('vabsd', 0x70600000, SIGNED, difference), ...three('vabsd', 0x70620000, UNSIGNED, difference)],
  ...three('vavg', 0x70640000, SIGNED, (v, k) => average(false, v, k)),
  ...three('vavg', 0x70660000, UNSIGNED, (v, k) => average(false, v, k)),
  ...three('vavgr', 0x70680000, SIGNED, (v, k) => average(true, v, k)),
  ...three('vavgr', 0x706a0000, UNSIGNED, (v, k) => average(true, v, k)),
  ...three('vmax', 0x70700000, SIGNED, (v, k) => L.max(k.e, true, v.vj, v.vk)),
  ...three('vmin', 0x70720000, SIGNED, (v, k) => L.min(k.e, true, v.vj, v.vk)),
  ...three('vmax', 0x70740000, UNSIGNED, (v, k) => L.max(k.e, false, v.vj, v.vk)),
  ...three('vmin', 0x70760000, UNSIGNED, (v, k) => L.min(k.e, false, v.vj, v.vk)),
  ...three('vmul', 0x70840000, SIGNED, (v, k) => L.mul(k.e, v.vj, v.vk)),
  ...three('vmuh', 0x70860000, SIGNED, mulHighLanes),
  ...three('vmuh', 0x70880000, UNSIGNED, mulHighLanes),
  ...three('vmadd', 0x70a80000, SIGNED, (v, k) => L.add(k.e, v.vd, L.mul(k.e, v.vj, v.vk))),
  ...three('vmsub', 0x70aa0000, SIGNED, (v, k) => L.sub(k.e, v.vd, L.mul(k.e, v.vj, v.vk))),
  ...three('vdiv', 0x70e00000, SIGNED, division(false)),
  ...three('vmod', 0x70e20000, SIGNED, division(true)),
  ...three('vdiv', 0x70e40000, UNSIGNED, division(false)),
  ...three('vmod', 0x70e60000, UNSIGNED, division(true)),
  ...lanewise('vadd.q', 0x712d0000, THREE, (v) => L.build('d', addWide(v.s, v.doublewords(v.vj), v.doublewords(v.vk)))),
  ...lanewise('vsub.q', 0x712d8000, THREE, (v) => L.build('d', subWide(v.doublewords(v.vj), v.doublewords(v.vk)))),
  // vk with the sign of vj: 0 where vj is 0.
  ...three('vsigncov', 0x712e0000, SIGNED, (v, { e }) => {
    const negative = L.shrS(e, v.vj, c32(L.bitsOf(e) - 1));
    const zero = L.equal(e, v.vj, L.constant(e, 0));
    return L.andNot(L.select(L.neg(e, v.vk), v.vk, negative), zero);
  }),
  ...threeImmediate('vaddi', 0x728a0000, UNSIGNED, 'ui5', (v, k) => L.add(k.e, v.vj, immediate(v, k, 'ui5'))),
  ...threeImmediate('vsubi', 0x728c0000, UNSIGNED, 'ui5', (v, k) => L.sub(k.e, v.vj, immediate(v, k, 'ui5'))),
  ...threeImmediate('vmaxi', 0x72900000, SIGNED, 'si5', (v, k) => L.max(k.e, true, v.vj, immediate(v, k, 'si5'))),
  ...threeImmediate('vmini', 0x72920000, SIGNED, 'si5', (v, k) => L.min(k.e, true, v.vj, immediate(v, k, 'si5'))),
  ...threeImmediate('vmaxi', 0x72940000, UNSIGNED, 'ui5', (v, k) => L.max(k.e, false, v.vj, immediate(v, k, 'ui5'))),
  ...threeImmediate('vmini', 0x72960000, UNSIGNED, 'ui5', (v, k) => L.min(k.e, false, v.vj, immediate(v, k, 'ui5'))),
  ...two('vneg', 0x729c3000, SIGNED, (v, k) => L.neg(k.e, v.vj)),
];

function difference(v: L.Lanes, { e, signed }: Kind): Node {
  return L.sub(e, L.max(e, signed, v.vj, v.vk), L.min(e, signed, v.vj, v.vk));
}
