/** Integer comparisons: elements of all ones or all zeros (LSX and LASX). */
import * as L from '../../lanes.ts';
import type { Row } from '../../row.ts';
import type { Node } from '../../semantics.ts';
import { type Kind, SIGNED, three, threeImmediate, UNSIGNED } from './family.ts';

type Compare = (k: Kind, a: Node, b: Node) => Node;
const EQUAL: Compare = ({ e }, a, b) => L.equal(e, a, b);
const LESS: Compare = ({ e, signed }, a, b) => L.lessThan(e, signed, a, b);
const LESS_OR_EQUAL: Compare = ({ e, signed }, a, b) => L.lessThan(e, signed, a, b, true);

/** With a register, and from `immediate` on with five bits. */
const compare = (name: string, first: number, immediate: number, kinds: readonly Kind[], f: Compare): Row[] => [
  ...three(name, first, kinds, (v, k) => f(k, v.vj, v.vk)),
  ...threeImmediate(`${name}i`, immediate, kinds, kinds[0]!.signed ? 'si5' : 'ui5', (v, k) =>
    f(k, v.vj, v.s.let(L.splat64(k.e, v.s.imm(k.signed ? 'si5' : 'ui5')))),
  ),
];

export const VECTOR_COMPARE: readonly Row[] = [
  ...compare('vseq', 0x70000000, 0x72800000, SIGNED, EQUAL),
  ...compare('vsle', 0x70020000, 0x72820000, SIGNED, LESS_OR_EQUAL),
  ...compare('vsle', 0x70040000, 0x72840000, UNSIGNED, LESS_OR_EQUAL),
  ...compare('vslt', 0x70060000, 0x72860000, SIGNED, LESS),
  ...compare('vslt', 0x70080000, 0x72880000, UNSIGNED, LESS),
];
