/**
 * Builders of vector rows. Every definition is written once, for 128 bits: LSX executes it on the low half of its
 * registers, LASX on both halves. The LASX word differs from the LSX word in bit 26.
 */
import type { FeatureName } from '../../../cpu/features.ts';
import { ELEMENTS, type Element, Lanes } from '../../lanes.ts';
import { OPERANDS, type OperandName } from '../../operands.ts';
import { type Row, row } from '../../row.ts';
import type { Half, Node, Semantics } from '../../semantics.ts';

/** Bit that distinguishes most LASX words from LSX words. */
const WIDE_BIT = 0x04000000;

export const HALVES: readonly Half[] = [0, 1];
/** Halves of the registers of a unit. */
export const halvesOf = (unit: 'lsx' | 'lasx'): readonly Half[] => (unit === 'lsx' ? [0] : HALVES);

/** The leading bits of a word, as pattern text. */
const leading = (word: number, length: number): string => (word >>> 0).toString(2).padStart(32, '0').slice(0, length);

/** Operand fields behind the opcode, from the highest bit down, and operands in assembly order. */
export type Operands = readonly [fields: string, asm: string];
export const THREE: Operands = ['vk vj vd', 'vd, vj, vk'];
export const TWO: Operands = ['vj vd', 'vd, vj'];
export const FOUR: Operands = ['va vk vj vd', 'vd, vj, vk, va'];
export const withImmediate = (immediate: OperandName): Operands => [`${immediate} vj vd`, `vd, vj, ${immediate}`];

const asLasx = (text: string): string => text.replace(/\bv([djka])\b/g, 'x$1');

/** Bits of an operand field or of a literal run of bits. */
const fieldBits = (field: string): number => (field in OPERANDS ? OPERANDS[field as OperandName].width : field.length);

/** One LSX or LASX row. Its opcode is the word without `fields`. */
export function vectorRow(
  unit: 'lsx' | 'lasx',
  name: string,
  word: number,
  [fields, asm]: Operands,
  define: (s: Semantics) => void,
  ext: FeatureName = unit,
): Row {
  const wide = unit === 'lasx';
  const length = 32 - fields.split(' ').reduce((sum, f) => sum + fieldBits(f), 0);
  const text = (t: string): string => (wide ? asLasx(t) : t);
  return row(name, `${leading(word, length)} ${text(fields)}`, text(asm), { unit, ext }, define);
}

/** Both rows of an instruction; `word` is that of LSX, `lasxWord` that of LASX where it is not the same with bit 26. */
export function both(
  name: string,
  word: number,
  operands: Operands,
  define: (s: Semantics, unit: 'lsx' | 'lasx') => void,
  lasxWord = word | WIDE_BIT,
  ext?: FeatureName,
): Row[] {
  return [
    vectorRow('lsx', name, word, operands, (s) => define(s, 'lsx'), ext),
    vectorRow('lasx', `x${name}`, lasxWord, operands, (s) => define(s, 'lasx'), ext),
  ];
}

/** Both rows of an instruction that treats every 128 bits alike: vd = f(lanes). */
export function lanewise(
  name: string,
  word: number,
  operands: Operands,
  f: (v: Lanes) => Node,
  lasxWord = word | WIDE_BIT,
): Row[] {
  return both(
    name,
    word,
    operands,
    (s, unit) => {
      for (const half of halvesOf(unit)) s.setVd(half, f(new Lanes(s, half)));
    },
    lasxWord,
  );
}

/** An element format of a family: the suffix of the name, and the argument of the definition. */
export interface Kind {
  readonly suffix: string;
  readonly e: Element;
  readonly signed: boolean;
}
const kind = (e: Element, signed: boolean): Kind => ({ suffix: signed ? e : `${e}u`, e, signed });
export const SIGNED: readonly Kind[] = ELEMENTS.map((e) => kind(e, true));
export const UNSIGNED: readonly Kind[] = ELEMENTS.map((e) => kind(e, false));

/** A family of rows of three registers whose opcodes follow each other. */
export const three = (name: string, first: number, kinds: readonly Kind[], f: (v: Lanes, k: Kind) => Node): Row[] =>
  kinds.flatMap((k, i) => lanewise(`${name}.${k.suffix}`, first + i * 0x8000, THREE, (v) => f(v, k)));

/** The same with an immediate of five bits as the third operand. */
export const threeImmediate = (
  name: string,
  first: number,
  kinds: readonly Kind[],
  immediate: 'ui5' | 'si5',
  f: (v: Lanes, k: Kind) => Node,
): Row[] =>
  kinds.flatMap((k, i) =>
    lanewise(`${name}.${k.suffix}`, first + i * 0x8000, withImmediate(immediate), (v) => f(v, k)),
  );

/** A family of rows of two registers. */
export const two = (name: string, first: number, kinds: readonly Kind[], f: (v: Lanes, k: Kind) => Node): Row[] =>
  kinds.flatMap((k, i) => lanewise(`${name}.${k.suffix}`, first + i * 0x400, TWO, (v) => f(v, k)));

const SHIFT_OPERAND = { b: 'ui3', h: 'ui4', w: 'ui5', d: 'ui6' } as const;

/** A family whose immediate is a bit number of the element: its width grows with the element, marked by a leading 1. */
export const bitImmediate = (
  name: string,
  group: number,
  kinds: readonly Kind[],
  f: (v: Lanes, k: Kind, n: Node) => Node,
): Row[] =>
  kinds.flatMap((k) => {
    const immediate = SHIFT_OPERAND[k.e];
    const marker = 0x2000 << ELEMENTS.indexOf(k.e);
    return lanewise(`${name}.${k.suffix}`, group | marker, withImmediate(immediate), (v) =>
      f(v, k, v.s.let(v.s.imm(immediate))),
    );
  });
