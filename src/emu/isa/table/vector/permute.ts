/** Moves of elements: between registers, inside a vector, from and to general registers (LSX and LASX). */
import * as L from '../../lanes.ts';
import type { OperandName } from '../../operands.ts';
import type { Row } from '../../row.ts';
import * as $ from '../../semantics.ts';
import { type Access, c32, c64, type Node, type Semantics, w } from '../../semantics.ts';
import {
  both,
  FOUR,
  HALVES,
  halvesOf,
  type Kind,
  lanewise,
  SIGNED,
  THREE,
  TWO,
  three,
  vectorRow,
  withImmediate,
} from './family.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sizeLog = (e: L.Element): number => L.ELEMENTS.indexOf(e);
/** Unsigned access of an element's width. */
const UNSIGNED_ACCESS: Readonly<Record<L.Element, Access>> = { b: 'bu', h: 'hu', w: 'wu', d: 'd' };

/** Picks from vk (0 …) and vj (n …) where n is the number of elements. */
const interleave = (name: string, first: number, picks: (n: number) => number[]): Row[] =>
  three(name, first, SIGNED, (v, { e }) => L.pick(e, v.vk, v.vj, picks(L.countOf(e))));

/** Element number (i32) to byte offset inside `half`. */
const offsetOf = (e: L.Element, index: Node, half: number): Node =>
  $.add($.shl(index, c32(sizeLog(e))), c32(16 * half));

/** `index` (i32) modulo the elements of 128 bits. */
const inLane = (e: L.Element, index: Node): Node => $.and(index, c32(L.countOf(e) - 1));

/** One element of vj in all places of a half. */
const replicate = (v: L.Lanes, e: L.Element, index: Node): Node =>
  L.splat64(e, v.s.element('vj', UNSIGNED_ACCESS[e], offsetOf(e, inLane(e, index), v.half)));

/** The index operands of instructions that name one of n elements, by element from bytes on. */
const INDEX: Readonly<Record<number, OperandName>> = { 1: 'ui1', 2: 'ui2', 3: 'ui3', 4: 'ui4' };

/** A family of rows, one for each size of element, whose immediate is the index of an element. */
interface IndexedFamily {
  readonly unit: 'lsx' | 'lasx';
  readonly name: string;
  /** What stands behind the element's letter in the name. */
  readonly suffix?: string;
  readonly group: number;
  readonly skip?: number;
  /** Bits of the index of an element. */
  readonly bits: (e: L.Element) => number;
  readonly fields: (index: OperandName) => readonly [string, string];
}

/**
 * Rows `name.b` to `name.d` whose index field shrinks as elements grow, behind a run of ones that ends in 0: `group` has
 * the bits before it. `skip` leaves out the narrow elements; a register of twice the width has one index bit more.
 */
function indexed(
  { unit, name, suffix = '', group, skip = 0, bits, fields }: IndexedFamily,
  define: (s: Semantics, e: L.Element, index: Node) => void,
): Row[] {
  return L.ELEMENTS.slice(skip).map((e) => {
    const width = bits(e);
    // Ones from bit 15 down to the bit above the 0 in front of the index field.
    const ones = 0x10000 - (0x400 << (width + 1));
    return vectorRow(unit, `${name}.${e}${suffix}`, group | ones, fields(INDEX[width]!), (s) =>
      define(s, e, s.let(w(s.imm(INDEX[width]!)))),
    );
  });
}
const laneBits = (e: L.Element): number => 4 - sizeLog(e);
const wholeBits = (e: L.Element): number => 5 - sizeLog(e);

const insert = (s: Semantics, e: L.Element, index: Node): void =>
  s.setElement(UNSIGNED_ACCESS[e], $.shl(index, c32(sizeLog(e))), s.rj);
const extractTo =
  (signed: boolean) =>
  (s: Semantics, e: L.Element, index: Node): void => {
    s.rd = s.element('vj', signed ? e : UNSIGNED_ACCESS[e], $.shl(index, c32(sizeLog(e))));
  };
const INSERT = (i: OperandName): readonly [string, string] => [`${i} rj vd`, `vd, rj, ${i}`];
const EXTRACT = (i: OperandName): readonly [string, string] => [`${i} vj rd`, `rd, vj, ${i}`];
const SELF = (i: OperandName): readonly [string, string] => [`${i} vj vd`, `vd, vj, ${i}`];

/** Bits of the immediate. */
const part = (imm: Node, lo: number, width: number): Node => $.and($.shrU(imm, c32(lo)), c32((1 << width) - 1));
const ui8 = (v: L.Lanes): Node => v.s.let(w(v.s.imm('ui8')));

/** Shuffles by indices in a register: element i of the result is that of vk (below n) or vj. */
const shuffleBy = (v: L.Lanes, { e }: Kind): Node => {
  const n = L.countOf(e);
  return L.build(
    e,
    range(n).map((i) => {
      const raw = L.extract(e, false, v.vd, i);
      const index = v.s.let(e === 'd' ? w(raw) : raw);
      const at = v.s.let(offsetOf(e, inLane(e, index), v.half));
      const x = $.sel(
        $.isZero($.and(index, c32(n))),
        v.s.element('vk', UNSIGNED_ACCESS[e], at),
        v.s.element('vj', UNSIGNED_ACCESS[e], at),
      );
      return e === 'd' ? x : w(x);
    }),
  );
};

/** Every group of four elements permuted by two bits each of the immediate. */
const shuffleFours = (e: L.Element, word: number): Row[] =>
  lanewise(`vshuf4i.${e}`, word, withImmediate('ui8'), (v) => {
    const imm = ui8(v);
    const size = 1 << sizeLog(e);
    // Byte indices for a swizzle: those of one group, then the same further on.
    const group = range(4).map((i) => v.s.let(part(imm, 2 * i, 2)));
    const bytes = range(16).map((k) => {
      const element = Math.floor(k / size);
      const base = (element & ~3) * size + (k % size);
      return $.add($.shl(group[element & 3]!, c32(sizeLog(e))), c32(base));
    });
    return L.swizzle(v.vj, L.build('b', bytes));
  });

/** Index of the first negative element of vj, put into the element of vd that vk's first element or the immediate names. */
const firstNegative = (v: L.Lanes, e: L.Element, place: Node): Node => {
  const n = L.countOf(e);
  const index = v.s.let($.ctz($.or(L.bitmask(e, v.vj), c32(1 << n))));
  const at = v.s.let(inLane(e, place));
  const lanes = L.build(
    e,
    range(n).map((i) => c32(i)),
  );
  return L.select(L.splat(e, index), v.vd, L.equal(e, lanes, L.splat(e, at)));
};

/** Bytes of vj moved towards the top (left) or bottom; zeros come in. SIMD's swizzle gives 0 for an index over 15. */
const moveBytes = (name: string, word: number, left: boolean): Row[] =>
  lanewise(name, word, withImmediate('ui5'), (v) => {
    const n = v.s.let(L.splat('b', $.and(w(v.s.imm('ui5')), c32(15))));
    const identity: Node = { k: 'v128', ty: 'v128', bytes: range(16) };
    return L.swizzle(v.vj, left ? L.sub('b', identity, n) : L.add('b', identity, n));
  });

/** From the elements of the whole 256-bit register. */
const WORD_INDEX = 7;
const lasx = (name: string, word: number, operands: readonly [string, string], define: (s: Semantics) => void): Row =>
  vectorRow('lasx', name, word, operands, define);

/** The low elements of xj, extended to fill xd. */
const extendTo256 = (to: L.Element, from: L.Element, signed: boolean, word: number): Row => {
  const u = signed ? '' : 'u';
  return lasx(`vext2xv.${to}${u}.${from}${u}`, word, TWO, (s) => {
    const count = L.countOf(to);
    const access = signed ? from : UNSIGNED_ACCESS[from];
    const values = HALVES.map((half) =>
      s.let(
        L.build(
          to,
          range(count).map((i) => {
            const x = s.element('vj', access, c32((half * count + i) << sizeLog(from)));
            return to === 'd' ? x : w(x);
          }),
        ),
      ),
    );
    for (const half of HALVES) s.setVd(half, values[half]!);
  });
};

export const VECTOR_PERMUTE: readonly Row[] = [
  ...interleave('vpackev', 0x71160000, (n) => range(n).map((i) => (i % 2 ? n + i - 1 : i))),
  ...interleave('vpackod', 0x71180000, (n) => range(n).map((i) => (i % 2 ? n + i : i + 1))),
  ...interleave('vilvl', 0x711a0000, (n) => range(n).map((i) => (i >> 1) + (i % 2 ? n : 0))),
  ...interleave('vilvh', 0x711c0000, (n) => range(n).map((i) => (i >> 1) + n / 2 + (i % 2 ? n : 0))),
  ...interleave('vpickev', 0x711e0000, (n) => range(n).map((i) => 2 * i)),
  ...interleave('vpickod', 0x71200000, (n) => range(n).map((i) => 2 * i + 1)),
  ...SIGNED.flatMap(({ e }, i) =>
    lanewise(`vreplve.${e}`, 0x71220000 + i * 0x8000, ['rk vj vd', 'vd, vj, rk'], (v) => replicate(v, e, w(v.s.rk))),
  ),
  ...three('vshuf', 0x717a8000, SIGNED.slice(1), shuffleBy),
  ...lanewise(
    'vshuf.b',
    0x0d500000,
    FOUR,
    (v) => {
      const index = v.s.let(L.and(v.va, L.constant('b', 31)));
      return L.or(L.swizzle(v.vk, index), L.swizzle(v.vj, L.xor(index, L.constant('b', 16))));
    },
    0x0d600000,
  ),
  ...shuffleFours('b', 0x73900000),
  ...shuffleFours('h', 0x73940000),
  ...shuffleFours('w', 0x73980000),
  // Two doublewords out of vd and vj.
  ...lanewise('vshuf4i.d', 0x739c0000, withImmediate('ui8'), (v) => {
    const imm = ui8(v);
    const one = (lo: number): Node => {
      const at = v.s.let(offsetOf('d', part(imm, lo, 1), v.half));
      return $.sel($.isZero(part(imm, lo + 1, 1)), v.s.element('vd', 'd', at), v.s.element('vj', 'd', at));
    };
    return L.build('d', [one(0), one(2)]);
  }),
  // Two words of vj, then two of the old vd.
  ...lanewise('vpermi.w', 0x73e40000, withImmediate('ui8'), (v) => {
    const imm = ui8(v);
    return L.build(
      'w',
      range(4).map((i) => w(v.s.element(i < 2 ? 'vj' : 'vd', 'wu', offsetOf('w', part(imm, 2 * i, 2), v.half)))),
    );
  }),
  ...(['d', 'w', 'h', 'b'] as const).flatMap((e, i) =>
    both(`vextrins.${e}`, 0x73800000 + i * 0x40000, withImmediate('ui8'), (s, unit) => {
      const imm = s.let(w(s.imm('ui8')));
      const bits = laneBits(e);
      for (const half of halvesOf(unit)) {
        const value = s.let(s.element('vj', UNSIGNED_ACCESS[e], offsetOf(e, part(imm, 0, bits), half)));
        s.setElement(UNSIGNED_ACCESS[e], offsetOf(e, part(imm, 4, bits), half), value);
      }
    }),
  ),
  ...moveBytes('vbsll.v', 0x728e0000, true),
  ...moveBytes('vbsrl.v', 0x728e8000, false),
  ...(['b', 'h'] as const).flatMap((e, i) => [
    ...lanewise(`vfrstp.${e}`, 0x712b0000 + i * 0x8000, THREE, (v) =>
      firstNegative(v, e, L.extract(e, false, v.vk, 0)),
    ),
    ...lanewise(`vfrstpi.${e}`, 0x729a0000 + i * 0x8000, withImmediate('ui5'), (v) =>
      firstNegative(v, e, w(v.s.imm('ui5'))),
    ),
  ]),
  ...SIGNED.flatMap(({ e }, i) =>
    lanewise(`vreplgr2vr.${e}`, 0x729f0000 + i * 0x400, ['rj vd', 'vd, rj'], (v) => L.splat64(e, v.s.rj)),
  ),
  ...both('vldi', 0x73e00000, ['si13 vd', 'vd, si13'], (s, unit) => {
    const value = s.call('vldi', 0, s.imm('si13'));
    for (const half of halvesOf(unit)) s.setVd(half, L.splat('d', value));
  }),
  ...indexed({ unit: 'lsx', name: 'vinsgr2vr', group: 0x72eb0000, bits: laneBits, fields: INSERT }, insert),
  ...indexed({ unit: 'lsx', name: 'vpickve2gr', group: 0x72ef0000, bits: laneBits, fields: EXTRACT }, extractTo(true)),
  ...indexed(
    { unit: 'lsx', name: 'vpickve2gr', suffix: 'u', group: 0x72f30000, bits: laneBits, fields: EXTRACT },
    extractTo(false),
  ),
  ...indexed({ unit: 'lasx', name: 'xvinsgr2vr', group: 0x76eb0000, skip: 2, bits: wholeBits, fields: INSERT }, insert),
  ...indexed(
    { unit: 'lasx', name: 'xvpickve2gr', group: 0x76ef0000, skip: 2, bits: wholeBits, fields: EXTRACT },
    extractTo(true),
  ),
  ...indexed(
    { unit: 'lasx', name: 'xvpickve2gr', suffix: 'u', group: 0x76f30000, skip: 2, bits: wholeBits, fields: EXTRACT },
    extractTo(false),
  ),
  ...(['lsx', 'lasx'] as const).flatMap((unit) =>
    indexed(
      {
        unit,
        name: unit === 'lsx' ? 'vreplvei' : 'xvrepl128vei',
        group: unit === 'lsx' ? 0x72f70000 : 0x76f70000,
        bits: laneBits,
        fields: SELF,
      },
      (s, e, index) => {
        for (const half of halvesOf(unit)) s.setVd(half, replicate(new L.Lanes(s, half), e, index));
      },
    ),
  ),
  ...indexed(
    { unit: 'lasx', name: 'xvinsve0', group: 0x76ff0000, skip: 2, bits: wholeBits, fields: SELF },
    (s, e, index) =>
      s.setElement(UNSIGNED_ACCESS[e], $.shl(index, c32(sizeLog(e))), s.element('vj', UNSIGNED_ACCESS[e], c32(0))),
  ),
  ...indexed(
    { unit: 'lasx', name: 'xvpickve', group: 0x77030000, skip: 2, bits: wholeBits, fields: SELF },
    (s, e, index) => {
      const value = s.let(s.element('vj', UNSIGNED_ACCESS[e], $.shl(index, c32(sizeLog(e)))));
      s.setVd(0, L.build('d', [value, c64(0)]));
      s.setVd(1, L.constant('b', 0));
    },
  ),
  ...L.ELEMENTS.map((e, i) =>
    lasx(`xvreplve0.${e}`, 0x77070000 + [0, 0x8000, 0xc000, 0xe000][i]!, TWO, (s) => {
      const value = s.let(L.splat64(e, s.element('vj', UNSIGNED_ACCESS[e], c32(0))));
      for (const half of HALVES) s.setVd(half, value);
    }),
  ),
  lasx('xvreplve0.q', 0x7707f000, TWO, (s) => {
    const value = s.let(s.vector('vj', 0));
    for (const half of HALVES) s.setVd(half, value);
  }),
  lasx('xvperm.w', 0x757d0000, THREE, (s) => {
    const values = HALVES.map((half) =>
      s.let(
        L.build(
          'w',
          range(4).map((i) => {
            const index = $.and(L.extract('w', false, s.vector('vk', half), i), c32(WORD_INDEX));
            return w(s.element('vj', 'wu', $.shl(index, c32(2))));
          }),
        ),
      ),
    );
    for (const half of HALVES) s.setVd(half, values[half]!);
  }),
  lasx('xvpermi.d', 0x77e80000, withImmediate('ui8'), (s) => {
    const imm = s.let(w(s.imm('ui8')));
    const values = HALVES.map((half) =>
      s.let(
        L.build(
          'd',
          range(2).map((i) => s.element('vj', 'd', $.shl(part(imm, 4 * half + 2 * i, 2), c32(3)))),
        ),
      ),
    );
    for (const half of HALVES) s.setVd(half, values[half]!);
  }),
  // Every half of xd is one of the halves of xj (0, 1) or of the old xd (2, 3).
  lasx('xvpermi.q', 0x77ec0000, withImmediate('ui8'), (s) => {
    const imm = s.let(w(s.imm('ui8')));
    const values = HALVES.map((half) => {
      const doubleword = (i: number): Node => {
        const at = s.let($.add($.shl(part(imm, 4 * half, 1), c32(4)), c32(8 * i)));
        return $.sel($.isZero(part(imm, 4 * half + 1, 1)), s.element('vj', 'd', at), s.element('vd', 'd', at));
      };
      return s.let(L.build('d', [doubleword(0), doubleword(1)]));
    });
    for (const half of HALVES) s.setVd(half, values[half]!);
  }),
  ...(
    [
      ['h', 'b'],
      ['w', 'b'],
      ['d', 'b'],
      ['w', 'h'],
      ['d', 'h'],
      ['d', 'w'],
    ] as const
  ).flatMap(([to, from], i) => [
    extendTo256(to, from, true, 0x769f1000 + i * 0x400),
    extendTo256(to, from, false, 0x769f2800 + i * 0x400),
  ]),
];
