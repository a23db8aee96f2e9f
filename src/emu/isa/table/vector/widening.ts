/** Operations whose result elements are twice as wide as their operands' (LSX and LASX). */
import * as L from '../../lanes.ts';
import type { Row } from '../../row.ts';
import * as $ from '../../semantics.ts';
import { type Node, w } from '../../semantics.ts';
import { addWide, extendWide, mulHigh, subWide, type Wide } from '../../wide.ts';
import { bitImmediate, lanewise, THREE, TWO } from './family.ts';

/** Result widths of the families, from the operands' element up; `q` is 128 bits. */
const WIDER = ['h', 'w', 'd', 'q'] as const;
type Result = (typeof WIDER)[number];

/** How the operands are read: both signed, both unsigned, or vj unsigned and vk signed. */
interface Reading {
  readonly j: boolean;
  readonly k: boolean;
  /** Suffix of the operands behind the result's. */
  readonly suffix: (e: L.Element) => string;
  /** Suffix of the result: horizontal forms name an unsigned result `hu`. */
  readonly result: (r: Result) => string;
}
const plain = (r: Result): string => r;
const S: Reading = { j: true, k: true, suffix: (e) => e, result: plain };
const U: Reading = { j: false, k: false, suffix: (e) => `${e}u`, result: plain };
const US: Reading = { j: false, k: true, suffix: (e) => `${e}u.${e}`, result: plain };
/** As U, in the names of instructions that call their result unsigned too. */
const UU: Reading = { ...U, result: (r) => `${r}u` };

type Operation = 'add' | 'sub' | 'mul' | 'madd';

/** On elements up to a doubleword. */
function narrow(operation: Operation, e: L.Element, v: L.Lanes, a: Node, b: Node): Node {
  switch (operation) {
    case 'add':
      return L.add(e, a, b);
    case 'sub':
      return L.sub(e, a, b);
    case 'mul':
      return L.mul(e, a, b);
    case 'madd':
      return L.add(e, v.vd, L.mul(e, a, b));
  }
}

/** On one doubleword each, to 128 bits. */
function quad(operation: Operation, v: L.Lanes, a: Node, signedA: boolean, b: Node, signedB: boolean): Node {
  const product = (): Wide => [v.s.let($.mul(a, b)), v.s.let(mulHigh(v.s, a, signedA, b, signedB))];
  switch (operation) {
    case 'add':
      return L.build('d', addWide(v.s, extendWide(signedA, a), extendWide(signedB, b)));
    case 'sub':
      return L.build('d', subWide(extendWide(signedA, a), extendWide(signedB, b)));
    case 'mul':
      return L.build('d', product());
    case 'madd':
      return L.build('d', addWide(v.s, v.doublewords(v.vd), product()));
  }
}

/** The four rows of a family; `odd` tells which elements of vj and vk are taken. */
function family(
  name: string,
  first: number,
  reading: Reading,
  operation: Operation,
  odd: readonly [j: boolean, k: boolean],
): Row[] {
  return WIDER.flatMap((result, i) => {
    const from = L.ELEMENTS[i]!;
    return lanewise(`${name}.${reading.result(result)}.${reading.suffix(from)}`, first + i * 0x8000, THREE, (v) => {
      if (result === 'q') {
        const a = v.doublewords(v.vj)[odd[0] ? 1 : 0];
        const b = v.doublewords(v.vk)[odd[1] ? 1 : 0];
        return quad(operation, v, a, reading.j, b, reading.k);
      }
      const a = L.extendEvery(result, reading.j, odd[0], v.vj);
      const b = L.extendEvery(result, reading.k, odd[1], v.vk);
      return narrow(operation, result, v, a, b);
    });
  });
}
const even = (name: string, first: number, reading: Reading, operation: Operation): Row[] =>
  family(`${name}wev`, first, reading, operation, [false, false]);
const odd = (name: string, first: number, reading: Reading, operation: Operation): Row[] =>
  family(`${name}wod`, first, reading, operation, [true, true]);
/** Odd elements of vj with even ones of vk. */
const horizontal = (name: string, first: number, reading: Reading, operation: Operation): Row[] =>
  family(name, first, reading, operation, [true, false]);

/** The low half, extended and shifted left; without a shift the widening to 128 bits. */
const shiftLow = (group: number, signed: boolean): Row[] => {
  const u = signed ? '' : 'u';
  return [
    ...(['b', 'h', 'w'] as const).flatMap((e) => {
      const result = L.wider(e);
      return bitImmediate('vsllwil', group, [{ suffix: `${result}${u}.${e}${u}`, e, signed }], (v, _k, n) =>
        L.shl(result, L.extend(result, signed, false, v.vj), w(n)),
      );
    }),
    ...lanewise(`vextl.q${u}.d${u}`, group | 0x10000, TWO, (v) =>
      L.build('d', extendWide(signed, v.doublewords(v.vj)[0])),
    ),
  ];
};

/** The high half, extended. */
const extendHigh = (first: number, signed: boolean): Row[] => {
  const u = signed ? '' : 'u';
  return WIDER.flatMap((result, i) =>
    lanewise(`vexth.${result}${u}.${L.ELEMENTS[i]}${u}`, first + i * 0x400, TWO, (v) =>
      result === 'q' ? L.build('d', extendWide(signed, v.doublewords(v.vj)[1])) : L.extend(result, signed, true, v.vj),
    ),
  );
};

export const VECTOR_WIDENING: readonly Row[] = [
  ...even('vadd', 0x701e0000, S, 'add'),
  ...even('vsub', 0x70200000, S, 'sub'),
  ...odd('vadd', 0x70220000, S, 'add'),
  ...odd('vsub', 0x70240000, S, 'sub'),
  ...even('vadd', 0x702e0000, U, 'add'),
  ...even('vsub', 0x70300000, U, 'sub'),
  ...odd('vadd', 0x70320000, U, 'add'),
  ...odd('vsub', 0x70340000, U, 'sub'),
  ...even('vadd', 0x703e0000, US, 'add'),
  ...odd('vadd', 0x70400000, US, 'add'),
  ...horizontal('vhaddw', 0x70540000, S, 'add'),
  ...horizontal('vhsubw', 0x70560000, S, 'sub'),
  ...horizontal('vhaddw', 0x70580000, UU, 'add'),
  ...horizontal('vhsubw', 0x705a0000, UU, 'sub'),
  ...even('vmul', 0x70900000, S, 'mul'),
  ...odd('vmul', 0x70920000, S, 'mul'),
  ...even('vmul', 0x70980000, U, 'mul'),
  ...odd('vmul', 0x709a0000, U, 'mul'),
  ...even('vmul', 0x70a00000, US, 'mul'),
  ...odd('vmul', 0x70a20000, US, 'mul'),
  ...even('vmadd', 0x70ac0000, S, 'madd'),
  ...odd('vmadd', 0x70ae0000, S, 'madd'),
  ...even('vmadd', 0x70b40000, U, 'madd'),
  ...odd('vmadd', 0x70b60000, U, 'madd'),
  ...even('vmadd', 0x70bc0000, US, 'madd'),
  ...odd('vmadd', 0x70be0000, US, 'madd'),
  ...extendHigh(0x729ee000, true),
  ...extendHigh(0x729ef000, false),
  ...shiftLow(0x73080000, true),
  ...shiftLow(0x730c0000, false),
];
