/** Logic, single bits, counts and masks of vectors (LSX and LASX). */
import * as L from '../../lanes.ts';
import type { Row } from '../../row.ts';
import * as $ from '../../semantics.ts';
import { c32, c64, type Node, type Semantics, w } from '../../semantics.ts';
import {
  bitImmediate,
  both,
  halvesOf,
  type Kind,
  lanewise,
  SIGNED,
  THREE,
  three,
  two,
  withImmediate,
} from './family.ts';

const logic = (name: string, word: number, f: (a: Node, b: Node) => Node): Row[] =>
  lanewise(name, word, THREE, (v) => f(v.vj, v.vk));
/** With the byte of the immediate in every byte. */
const logicImmediate = (name: string, word: number, f: (v: L.Lanes, imm: Node) => Node): Row[] =>
  lanewise(name, word, withImmediate('ui8'), (v) => f(v, v.s.let(L.splat64('b', v.s.imm('ui8')))));

type Change = (value: Node, bit: Node) => Node;
const CLEAR: Change = (x, bit) => L.andNot(x, bit);
const SET: Change = (x, bit) => L.or(x, bit);
const REVERSE: Change = (x, bit) => L.xor(x, bit);

/** Changes in every element the bit that the element of vk, or the immediate, names. */
const oneBit = (name: string, first: number, group: number, change: Change): Row[] => [
  ...three(name, first, SIGNED, (v, { e }) => {
    const bit = v.map(e, false, [v.vk], (n) => $.shl(L.literal(e, 1), $.and(n, L.literal(e, L.bitsOf(e) - 1))));
    return change(v.vj, bit);
  }),
  ...bitImmediate(`${name}i`, group, SIGNED, (v, { e }, n) => change(v.vj, L.shl(e, L.constant(e, 1), w(n)))),
];

/** Leading zeros of every element. */
const leadingZeros = (v: L.Lanes, e: L.Element, x: Node): Node =>
  v.map(e, false, [x], (a) => {
    const unused = 32 - L.bitsOf(e);
    return unused > 0 ? $.sub($.clz(a), c32(unused)) : $.clz(a);
  });

/** Set bits: counted by byte, then neighbours added. */
function population(v: L.Lanes, { e }: Kind): Node {
  let sum = L.setBits(v.vj);
  for (let width: L.Element = 'b'; width !== e; ) {
    width = L.wider(width);
    const kept = v.s.let(sum);
    sum = L.add(width, L.extendEvery(width, false, false, kept), L.extendEvery(width, false, true, kept));
  }
  return sum;
}

/** The top bits of all elements as a number in the lowest doubleword. */
const mask = (e: L.Element, x: Node): Node => L.build('d', [$.zx(L.bitmask(e, x)), c64(0)]);

/** A condition flag from all bits of a register: `f` says for 128 bits whether it holds; any half or all must. */
const flag = (name: string, word: number, f: (v: L.Lanes) => Node, combine: (a: Node, b: Node) => Node): Row[] =>
  both(name, word, ['vj 00 cd', 'cd, vj'], (s: Semantics, unit) => {
    s.cd = $.zx(
      halvesOf(unit)
        .map((half) => f(new L.Lanes(s, half)))
        .reduce(combine),
    );
  });

export const VECTOR_BITS: readonly Row[] = [
  ...logic('vand.v', 0x71260000, L.and),
  ...logic('vor.v', 0x71268000, L.or),
  ...logic('vxor.v', 0x71270000, L.xor),
  ...logic('vnor.v', 0x71278000, (a, b) => L.not(L.or(a, b))),
  ...logic('vandn.v', 0x71280000, (a, b) => L.andNot(b, a)),
  ...logic('vorn.v', 0x71288000, (a, b) => L.or(a, L.not(b))),
  ...logicImmediate('vandi.b', 0x73d00000, (v, imm) => L.and(v.vj, imm)),
  ...logicImmediate('vori.b', 0x73d40000, (v, imm) => L.or(v.vj, imm)),
  ...logicImmediate('vxori.b', 0x73d80000, (v, imm) => L.xor(v.vj, imm)),
  ...logicImmediate('vnori.b', 0x73dc0000, (v, imm) => L.not(L.or(v.vj, imm))),
  ...logicImmediate('vbitseli.b', 0x73c40000, (v, imm) => L.select(imm, v.vj, v.vd)),
  ...lanewise(
    'vbitsel.v',
    0x0d100000,
    ['va vk vj vd', 'vd, vj, vk, va'],
    (v) => L.select(v.vk, v.vj, v.va),
    0x0d200000,
  ),
  ...oneBit('vbitclr', 0x710c0000, 0x73100000, CLEAR),
  ...oneBit('vbitset', 0x710e0000, 0x73140000, SET),
  ...oneBit('vbitrev', 0x71100000, 0x73180000, REVERSE),
  ...two('vclo', 0x729c0000, SIGNED, (v, { e }) => leadingZeros(v, e, L.not(v.vj))),
  ...two('vclz', 0x729c1000, SIGNED, (v, { e }) => leadingZeros(v, e, v.vj)),
  ...two('vpcnt', 0x729c2000, SIGNED, population),
  ...two('vmskltz', 0x729c4000, SIGNED, (v, { e }) => mask(e, v.vj)),
  ...two('vmskgez', 0x729c5000, SIGNED.slice(0, 1), (v) => mask('b', L.not(v.vj))),
  ...two('vmsknz', 0x729c6000, SIGNED.slice(0, 1), (v) => mask('b', L.not(L.equal('b', v.vj, L.constant('b', 0))))),
  ...flag('vseteqz.v', 0x729c9800, (v) => $.isZero(L.anyTrue(v.vj)), $.and),
  ...flag('vsetnez.v', 0x729c9c00, (v) => L.anyTrue(v.vj), $.or),
  ...SIGNED.flatMap(({ e }, i) =>
    flag(`vsetanyeqz.${e}`, 0x729ca000 + i * 0x400, (v) => $.isZero(L.allTrue(e, v.vj)), $.or),
  ),
  ...SIGNED.flatMap(({ e }, i) => flag(`vsetallnez.${e}`, 0x729cb000 + i * 0x400, (v) => L.allTrue(e, v.vj), $.and)),
];
