/** Shifts, rotations, and shifts that narrow, round and saturate (LSX and LASX). */
import * as L from '../../lanes.ts';
import type { OperandName } from '../../operands.ts';
import type { Row } from '../../row.ts';
import * as $ from '../../semantics.ts';
import { c32, c64, type Node, w } from '../../semantics.ts';
import { addWide, shrWide, type Wide } from '../../wide.ts';
import { bitImmediate, type Kind, lanewise, SIGNED, THREE, three, withImmediate } from './family.ts';

/** The bits of `n` that count for an element. */
const amount = (e: L.Element, n: Node): Node => $.and(n, L.literal(e, L.bitsOf(e) - 1));
const shiftRight = (signed: boolean, x: Node, n: Node): Node => (signed ? $.shrS : $.shrU)(x, n);
/** Shifts right and adds the last bit that went out; (x << 1) >> n has it at bit 0, and 0 there for n = 0. */
const roundRight = (e: L.Element, signed: boolean, x: Node, n: Node): Node => {
  const one = L.literal(e, 1);
  return $.add(shiftRight(signed, x, n), $.and(shiftRight(signed, $.shl(x, one), n), one));
};
function rotate(e: L.Element, x: Node, n: Node): Node {
  if (e === 'w' || e === 'd') return $.rotr(x, n);
  return $.or($.shrU(x, n), $.shl(x, $.sub(c32(L.bitsOf(e)), n)));
}

/** Every element of vj by the element of vk. */
const byRegister = (name: string, first: number, signed: boolean, f: (e: L.Element, x: Node, n: Node) => Node): Row[] =>
  three(name, first, SIGNED, (v, { e }) => v.map(e, signed, [v.vj, v.vk], (x, n) => f(e, x, v.s.let(amount(e, n)))));

const byImmediate = (name: string, group: number, f: (v: L.Lanes, e: L.Element, n: Node) => Node): Row[] =>
  bitImmediate(name, group, SIGNED, (v, { e }, n) => f(v, e, v.s.let(w(n))));

const roundLanes = (v: L.Lanes, e: L.Element, signed: boolean, n: Node): Node =>
  L.add(e, L.shr(e, signed, v.vj, n), L.and(L.shrU(e, L.shl(e, v.vj, c32(1)), n), L.constant(e, 1)));

/** How a value of a wide element becomes one of a narrow element. */
interface Narrowing {
  readonly name: string;
  readonly signed: boolean;
  readonly round: boolean;
  /** Saturate to the signed or unsigned range; else the upper bits are dropped. */
  readonly saturate: 'signed' | 'unsigned' | undefined;
}

/** Saturates `x`, an element of width `e` read as `signed`, to the range of `bits` bits. */
function clamp(
  v: L.Lanes,
  e: L.Element,
  signed: boolean,
  saturate: Narrowing['saturate'],
  bits: number,
  x: Node,
): Node {
  if (!saturate) return x;
  const kept = v.s.let(x);
  const top = L.literal(e, saturate === 'signed' ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n);
  // A value shifted in without a sign is unsigned whatever the result is.
  if (!signed) return $.sel($.ltU(kept, top), kept, top);
  const bottom = L.literal(e, saturate === 'signed' ? -(2n ** BigInt(bits - 1)) : 0);
  const below = v.s.let($.sel($.ltS(kept, top), kept, top));
  return $.sel($.ltS(below, bottom), bottom, below);
}

const shiftOne = (v: L.Lanes, e: L.Element, { signed, round, saturate }: Narrowing, x: Node, n: Node): Node => {
  const shifted = round ? roundRight(e, signed, x, n) : shiftRight(signed, x, n);
  return clamp(v, e, signed, saturate, L.bitsOf(e) / 2, shifted);
};

/** The elements of `source`, shifted and narrowed: half as many bits as a vector. */
function narrowed(v: L.Lanes, e: L.Element, how: Narrowing, source: Node, amounts: (i: number) => Node): Node[] {
  return Array.from({ length: L.countOf(e) }, (_, i) => {
    const x = v.s.let(L.extract(e, how.signed, source, i));
    const y = shiftOne(v, e, how, x, amounts(i));
    return e === 'd' ? w(y) : y;
  });
}

const WIDE: readonly L.Element[] = ['h', 'w', 'd'];
const suffixOf = (e: L.Element, { saturate }: Narrowing): string =>
  `${L.narrower(e)}${saturate === 'unsigned' ? 'u' : ''}.${e}`;

/** By the elements of vk; the upper half of the result is 0. */
const narrowByRegister = (first: number, how: Narrowing): Row[] =>
  WIDE.flatMap((e, i) =>
    lanewise(`${how.name}.${suffixOf(e, how)}`, first + i * 0x8000, THREE, (v) =>
      L.build(
        L.narrower(e),
        narrowed(v, e, how, v.vj, (k) => v.s.let(amount(e, L.extract(e, false, v.vk, k)))),
      ),
    ),
  );

/** A 128-bit value to 64 bits. */
function narrowQuad(v: L.Lanes, { signed, round, saturate }: Narrowing, x: Wide, n: Node): Node {
  let shifted = shrWide(v.s, signed, x, n);
  if (round) {
    // Bit n − 1 of x is bit 0 of x >> (n − 1); nothing is added for n = 0.
    const out = $.and(shrWide(v.s, signed, x, $.and($.sub(n, c64(1)), c64(127)))[0], c64(1));
    shifted = addWide(v.s, shifted, [v.s.let($.sel($.isZero(n), c64(0), out)), c64(0)]);
  }
  const [lo, hi] = [v.s.let(shifted[0]), v.s.let(shifted[1])];
  const all = c64(-1);
  const most = c64((1n << 63n) - 1n);
  switch (saturate) {
    case undefined:
      return lo;
    case 'unsigned': {
      const above = $.sel($.isZero(hi), lo, all);
      return signed ? $.sel($.ltS(hi, c64(0)), c64(0), above) : above;
    }
    case 'signed': {
      if (!signed) return $.sel($.and($.isZero(hi), $.geS(lo, c64(0))), lo, most);
      const fits = $.eq(hi, $.shrS(lo, c64(63)));
      return $.sel(fits, lo, $.xor($.shrS(hi, c64(63)), most));
    }
  }
}

const AMOUNT: Readonly<Record<L.Element, OperandName>> = { b: 'ui3', h: 'ui4', w: 'ui5', d: 'ui6' };

/** By an immediate; the lower half of the result comes from vj, the upper half from the old vd. */
function narrowByImmediate(group: number, how: Narrowing): Row[] {
  const quad = how.saturate === 'unsigned' ? 'du.q' : 'd.q';
  return [
    ...WIDE.flatMap((e, i) =>
      lanewise(`${how.name}i.${suffixOf(e, how)}`, group | (0x4000 << i), withImmediate(AMOUNT[e]), (v) => {
        const imm = v.s.imm(AMOUNT[e]);
        const n = v.s.let(e === 'd' ? imm : w(imm));
        return L.build(L.narrower(e), [...narrowed(v, e, how, v.vj, () => n), ...narrowed(v, e, how, v.vd, () => n)]);
      }),
    ),
    ...lanewise(`${how.name}i.${quad}`, group | 0x20000, withImmediate('ui7'), (v) => {
      const n = v.s.let(v.s.imm('ui7'));
      return L.build('d', [narrowQuad(v, how, v.doublewords(v.vj), n), narrowQuad(v, how, v.doublewords(v.vd), n)]);
    }),
  ];
}

/** Name, signed, rounding, saturation, first opcode by register and opcode group by immediate. */
const NARROWINGS: readonly [string, boolean, boolean, Narrowing['saturate'], number, number][] = [
  ['vsrln', false, false, undefined, 0x70f48000, 0x73400000],
  ['vsran', true, false, undefined, 0x70f68000, 0x73580000],
  ['vsrlrn', false, true, undefined, 0x70f88000, 0x73440000],
  ['vsrarn', true, true, undefined, 0x70fa8000, 0x735c0000],
  ['vssrln', false, false, 'signed', 0x70fc8000, 0x73480000],
  ['vssran', true, false, 'signed', 0x70fe8000, 0x73600000],
  ['vssrlrn', false, true, 'signed', 0x71008000, 0x73500000],
  ['vssrarn', true, true, 'signed', 0x71028000, 0x73680000],
  ['vssrln', false, false, 'unsigned', 0x71048000, 0x734c0000],
  ['vssran', true, false, 'unsigned', 0x71068000, 0x73640000],
  ['vssrlrn', false, true, 'unsigned', 0x71088000, 0x73540000],
  ['vssrarn', true, true, 'unsigned', 0x710a8000, 0x736c0000],
];

/** Saturation of every element to imm + 1 bits. */
const saturateTo = (v: L.Lanes, { e, signed }: Kind, n: Node): Node => {
  const bits = v.s.let(signed ? w(n) : $.add(w(n), c32(1)));
  // 2^n − 1, or for unsigned 2^(n+1) − 1, where a shift by the whole width gives all ones.
  const ones = L.constant(e, -1);
  const mask = v.s.let(L.not(L.shl(e, ones, bits)));
  if (signed) return L.max(e, true, L.min(e, true, v.vj, mask), L.not(mask));
  const whole = $.eq(bits, c32(L.bitsOf(e)));
  return L.min(e, false, v.vj, L.or(mask, L.splat64('b', $.sel(whole, c64(-1), c64(0)))));
};

export const VECTOR_SHIFT: readonly Row[] = [
  ...byRegister('vsll', 0x70e80000, false, (_e, x, n) => $.shl(x, n)),
  ...byRegister('vsrl', 0x70ea0000, false, (_e, x, n) => $.shrU(x, n)),
  ...byRegister('vsra', 0x70ec0000, true, (_e, x, n) => $.shrS(x, n)),
  ...byRegister('vrotr', 0x70ee0000, false, rotate),
  ...byRegister('vsrlr', 0x70f00000, false, (e, x, n) => roundRight(e, false, x, n)),
  ...byRegister('vsrar', 0x70f20000, true, (e, x, n) => roundRight(e, true, x, n)),
  ...byImmediate('vslli', 0x732c0000, (v, e, n) => L.shl(e, v.vj, n)),
  ...byImmediate('vsrli', 0x73300000, (v, e, n) => L.shrU(e, v.vj, n)),
  ...byImmediate('vsrai', 0x73340000, (v, e, n) => L.shrS(e, v.vj, n)),
  ...byImmediate('vrotri', 0x72a00000, (v, e, n) => {
    // A shift left by the whole width would be one by 0: it is taken in two steps.
    const rest = $.xor(n, c32(L.bitsOf(e) - 1));
    return L.or(L.shrU(e, v.vj, n), L.shl(e, L.shl(e, v.vj, c32(1)), rest));
  }),
  ...byImmediate('vsrlri', 0x72a40000, (v, e, n) => roundLanes(v, e, false, n)),
  ...byImmediate('vsrari', 0x72a80000, (v, e, n) => roundLanes(v, e, true, n)),
  ...bitImmediate('vsat', 0x73240000, SIGNED, saturateTo),
  ...bitImmediate(
    'vsat',
    0x73280000,
    SIGNED.map(({ e }) => ({ suffix: `${e}u`, e, signed: false })),
    saturateTo,
  ),
  ...NARROWINGS.flatMap(([name, signed, round, saturate, byReg, byImm]) => {
    const how: Narrowing = { name, signed, round, saturate };
    return [...narrowByRegister(byReg, how), ...narrowByImmediate(byImm, how)];
  }),
];
