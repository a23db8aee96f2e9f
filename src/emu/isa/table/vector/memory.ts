/** Loads and stores of vectors and of single elements (LSX and LASX). */
import * as L from '../../lanes.ts';
import type { OperandName } from '../../operands.ts';
import type { Row } from '../../row.ts';
import * as $ from '../../semantics.ts';
import { type Access, c32, type Node, type Semantics, w } from '../../semantics.ts';
import { both, halvesOf, type Operands, vectorRow } from './family.ts';

const OFFSET: Operands = ['si12 rj vd', 'vd, rj, si12'];
const INDEX: Operands = ['rk rj vd', 'vd, rj, rk'];
const offset = (s: Semantics): Node => $.add(s.rj, s.imm('si12'));
const index = (s: Semantics): Node => $.add(s.rj, s.rk);

const load = (name: string, words: [number, number], operands: Operands, address: (s: Semantics) => Node): Row[] =>
  both(
    name,
    words[0],
    operands,
    (s, unit) => {
      const halves = halvesOf(unit);
      const values = s.ldVector(unit === 'lsx' ? 1 : 2, address(s));
      for (const half of halves) s.setVd(half, values[half]!);
    },
    words[1],
  );
const store = (name: string, words: [number, number], operands: Operands, address: (s: Semantics) => Node): Row[] =>
  both(
    name,
    words[0],
    operands,
    (s, unit) =>
      s.stVector(
        address(s),
        halvesOf(unit).map((half) => s.vector('vd', half)),
      ),
    words[1],
  );

/** From doublewords down; offsets count elements. */
const ELEMENTS: readonly {
  e: L.Element;
  access: Access;
  load: number;
  offset: OperandName;

  step: OperandName;
}[] = [
  { e: 'd', access: 'd', load: 0x30100000, offset: 'si9d', step: 'si8d' },
  { e: 'w', access: 'wu', load: 0x30200000, offset: 'si10w', step: 'si8w' },
  { e: 'h', access: 'hu', load: 0x30400000, offset: 'si11h', step: 'si8h' },
  { e: 'b', access: 'bu', load: 0x30800000, offset: 'si12', step: 'si8' },
];

export const VECTOR_MEMORY: readonly Row[] = [
  ...load('vld', [0x2c000000, 0x2c800000], OFFSET, offset),
  ...store('vst', [0x2c400000, 0x2cc00000], OFFSET, offset),
  ...load('vldx', [0x38400000, 0x38480000], INDEX, index),
  ...store('vstx', [0x38440000, 0x384c0000], INDEX, index),
  // One element in all places.
  ...ELEMENTS.flatMap(({ e, access, load: word, offset: o }) =>
    both(
      `vldrepl.${e}`,
      word,
      [`${o} rj vd`, `vd, rj, ${o}`],
      (s, unit) => {
        const value = s.let(L.splat64(e, s.ld(access, $.add(s.rj, s.imm(o)))));
        for (const half of halvesOf(unit)) s.setVd(half, value);
      },
      word | 0x02000000,
    ),
  ),
  // One element, chosen by number; LASX has one bit more for it.
  ...ELEMENTS.flatMap(({ e, access, step }, i) =>
    (['lsx', 'lasx'] as const).map((unit) => {
      const bits = i + (unit === 'lsx' ? 1 : 2);
      const number = `idx${bits}` as OperandName;
      // There is a 1 in front of the element number.
      const marker = 0x00100000 << i;
      return vectorRow(
        unit,
        unit === 'lsx' ? `vstelm.${e}` : `xvstelm.${e}`,
        (unit === 'lsx' ? 0x31000000 : 0x33000000) | marker,
        [`${number} ${step} rj vd`, `vd, rj, ${step}, ${number}`],
        (s) => {
          const at = $.shl(w(s.imm(number)), c32(L.ELEMENTS.indexOf(e)));
          s.st(access, $.add(s.rj, s.imm(step)), s.element('vd', access, at));
        },
      );
    }),
  ),
];
