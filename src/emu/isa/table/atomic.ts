/** LL/SC and atomic memory operations (Vol. 1, section 2.2.7). */
import { type Row, type RowFlags, row } from '../row.ts';
import * as $ from '../semantics.ts';
import { c32, c64, ext32, type Node, type Semantics } from '../semantics.ts';

/** The address of an LL or SC: rj plus a byte offset; or rj, with barriers before and after. */
type Form = {
  readonly pattern: string;
  readonly asm: string;
  readonly address: (s: Semantics) => Node;
  readonly flags: RowFlags;
  readonly ordered: boolean;
};
const OFFSET: Form = {
  pattern: 'si14 rj rd',
  asm: 'rd, rj, si14',
  address: (s) => $.add(s.rj, s.imm('si14')),
  flags: {},
  ordered: false,
};
const PLAIN: Form = {
  pattern: 'rj rd',
  asm: 'rd, rj',
  address: (s) => s.rj,
  flags: { ext: 'llacq_screl' },
  ordered: true,
};

const loadLinked = (name: string, access: 'w' | 'd', code: string, form = OFFSET): Row =>
  row(`${name}.${access}`, `${code} ${form.pattern}`, form.asm, form.flags, (s) => {
    const at = s.linearAddress(access === 'w' ? 4 : 8, form.address(s), 'load');
    const value = s.peek(access, at);
    if (form.ordered) s.fence();
    s.rd = value;
    s.setState('llLinear', at);
    s.setState('llValue', value);
    s.setState('llBit', c32(1));
  });

/** True while the LL bit is set and `at` is the place of the LL. */
const linked = (s: Semantics, at: Node): Node =>
  s.let($.and(s.state('llBit', 'i32'), $.eq(s.state('llLinear', 'i32'), at)));

/** The value that the LL saw, as wide as the SC. */
function seenValue(s: Semantics, access: 'w' | 'd'): Node {
  const seen = s.state('llValue', 'i64');
  return access === 'w' ? ext32(seen) : seen;
}

/** Succeeds while the link holds: whoever breaks it clears the LL bit (cpu/links.ts). With a thread for each CPU the value decides. */
const storeConditional = (name: string, access: 'w' | 'd', code: string, form = OFFSET): Row =>
  row(`${name}.${access}`, `${code} ${form.pattern}`, form.asm, form.flags, (s) => {
    const at = s.linearAddress(access === 'w' ? 4 : 8, form.address(s), 'sc');
    const value = s.let(s.rdv);
    const here = linked(s, at);
    let stored = here;
    s.if(here, () => {
      stored = s.storeLinked(access, at, seenValue(s, access), value);
    });
    s.setState('llBit', c32(0));
    s.rd = $.zx($.and(here, stored));
  });

/**
 * 128 bits, rd low and rk high, on a 16-byte boundary; the LL was an ll.d of the low half. Not atomic between threads: a
 * machine with a thread for each CPU does not have it (docs/decisions/0008-threads.md).
 */
const STORE_CONDITIONAL_QUAD = row('sc.q', '00111000010101110 rk rj rd', 'rd, rk, rj', { ext: 'scq' }, (s) => {
  const at = s.linearAddress(16, s.rj, 'sc');
  const low = s.let(s.rdv);
  const high = s.let(s.rk);
  const success = linked(s, at);
  s.if(success, () => {
    s.poke('d', at, low);
    s.poke('d', $.add(at, c32(8)), high);
  });
  s.setState('llBit', c32(0));
  s.rd = $.zx(success);
});

/** The 17 opcode bits of a three-register row. */
const code17 = (n: number): string => n.toString(2).padStart(17, '0');

type Combine = (old: Node, value: Node) => Node;

/** The word and doubleword rows of one operation; rd receives the old value, sign-extended. */
function am(name: string, suffixes: readonly [string, string], first: number, f: Combine, narrow = ext32): Row[] {
  return (['w', 'd'] as const).map((access, i) =>
    row(
      `${name}.${suffixes[i]}`,
      `${code17(first + i)} rk rj rd`,
      'rd, rk, rj',
      { ext: 'lam', distinct: ['rj', 'rk'] },
      (s) => {
        const at = s.linearAddress(access === 'w' ? 4 : 8, s.rj, 'store');
        const value = s.let(access === 'w' ? narrow(s.rk) : s.rk);
        s.rd = s.update(access, at, (old) => f(access === 'w' ? narrow(old) : old, value));
      },
    ),
  );
}

const max =
  (lt: (a: Node, b: Node) => Node): Combine =>
  (o, v) =>
    $.sel(lt(o, v), v, o);
const min =
  (lt: (a: Node, b: Node) => Node): Combine =>
  (o, v) =>
    $.sel(lt(v, o), v, o);
const unsigned32 = (x: Node): Node => $.and(x, c64(0xffffffffn));

/** One form of all operations: without a suffix, or `_db` with a barrier (which atomic operations have anyway). */
const family = (db: '' | '_db', base: number): Row[] => [
  ...am(`amswap${db}`, ['w', 'd'], base, (_, v) => v),
  ...am(`amadd${db}`, ['w', 'd'], base + 2, $.add),
  ...am(`amand${db}`, ['w', 'd'], base + 4, $.and),
  ...am(`amor${db}`, ['w', 'd'], base + 6, $.or),
  ...am(`amxor${db}`, ['w', 'd'], base + 8, $.xor),
  ...am(`ammax${db}`, ['w', 'd'], base + 10, max($.ltS)),
  ...am(`ammin${db}`, ['w', 'd'], base + 12, min($.ltS)),
  ...am(`ammax${db}`, ['wu', 'du'], base + 14, max($.ltU), unsigned32),
  ...am(`ammin${db}`, ['wu', 'du'], base + 16, min($.ltU), unsigned32),
];

const WIDTHS = ['b', 'h', 'w', 'd'] as const;
const SIZE = { b: 1, h: 2, w: 4, d: 8 } as const;

/** amswap and amadd of bytes and halfwords. */
const small = (db: '' | '_db', base: number): Row[] =>
  (['amswap', 'amadd'] as const).flatMap((name, k) =>
    (['b', 'h'] as const).map((access, i) =>
      row(
        `${name}${db}.${access}`,
        `${code17(base + 2 * k + i)} rk rj rd`,
        'rd, rk, rj',
        { ext: 'lam_bh', distinct: ['rj', 'rk'] },
        (s) => {
          const at = s.linearAddress(SIZE[access], s.rj, 'store');
          const value = s.let(s.rk);
          s.rd = s.update(access, at, (old) => (name === 'amswap' ? value : $.add(old, value)));
        },
      ),
    ),
  );

/** Compare and swap: rk is stored when the old value equals rd; rd receives the old value. */
const compareAndSwap = (db: '' | '_db', base: number): Row[] =>
  WIDTHS.map((access, i) =>
    row(
      `amcas${db}.${access}`,
      `${code17(base + i)} rk rj rd`,
      'rd, rk, rj',
      { ext: 'lamcas', distinct: ['rj'] },
      (s) => {
        const at = s.linearAddress(SIZE[access], s.rj, 'store');
        const drop = c64(64 - 8 * SIZE[access]);
        const expected = s.let($.shrS($.shl(s.rdv, drop), drop));
        const value = s.let(s.rk);
        s.rd = s.compareExchange(access, at, expected, value);
      },
    ),
  );

export const ATOMIC: readonly Row[] = [
  loadLinked('ll', 'w', '00100000'),
  storeConditional('sc', 'w', '00100001'),
  loadLinked('ll', 'd', '00100010'),
  storeConditional('sc', 'd', '00100011'),
  loadLinked('llacq', 'w', '0011100001010111100000', PLAIN),
  storeConditional('screl', 'w', '0011100001010111100001', PLAIN),
  loadLinked('llacq', 'd', '0011100001010111100010', PLAIN),
  storeConditional('screl', 'd', '0011100001010111100011', PLAIN),
  STORE_CONDITIONAL_QUAD,
  ...compareAndSwap('', 0b00111000010110000),
  ...compareAndSwap('_db', 0b00111000010110100),
  ...small('', 0b00111000010111000),
  ...small('_db', 0b00111000010111100),
  ...family('', 0b00111000011000000),
  ...family('_db', 0b00111000011010010),
];
