/** LL/SC and atomic memory operations (Vol. 1, sections 2.2.6 and 2.2.7). */
import { type Row, row } from '../row.ts';
import * as $ from '../semantics.ts';
import { c32, c64, ext32, type Node } from '../semantics.ts';

const loadLinked = (access: 'w' | 'd', code: string): Row =>
  row(`ll.${access}`, `${code} si14 rj rd`, 'rd, rj, si14', {}, (s) => {
    const at = s.host(access === 'w' ? 4 : 8, $.add(s.rj, s.imm('si14')), false);
    const value = s.peek(access, at);
    s.rd = value;
    s.setState('llHost', at);
    s.setState('llValue', value);
    s.setState('llBit', c32(1));
  });

/** SC succeeds while the LL bit is set, the place is the one of the LL and its value has not changed. */
const storeConditional = (access: 'w' | 'd', code: string): Row =>
  row(`sc.${access}`, `${code} si14 rj rd`, 'rd, rj, si14', {}, (s) => {
    const at = s.host(access === 'w' ? 4 : 8, $.add(s.rj, s.imm('si14')), true);
    const linked = $.and(s.state('llBit', 'i32'), $.eq(s.state('llHost', 'i32'), at));
    const value = s.let(s.rdv);
    const unchanged = $.eq(s.peek(access, at), s.state('llValue', 'i64'));
    const success = s.let($.and(linked, unchanged));
    s.if(success, () => s.poke(access, at, value));
    s.setState('llBit', c32(0));
    s.rd = $.zx(success);
  });

type Combine = (old: Node, value: Node) => Node;

/** The word and doubleword rows of one operation; rd receives the old value, sign-extended. */
function am(name: string, suffixes: readonly [string, string], first: number, f: Combine, narrow = ext32): Row[] {
  return (['w', 'd'] as const).map((access, i) =>
    row(
      `${name}.${suffixes[i]}`,
      `${(first + i).toString(2).padStart(17, '0')} rk rj rd`,
      'rd, rk, rj',
      { ext: 'lam', distinct: true },
      (s) => {
        const at = s.host(access === 'w' ? 4 : 8, s.rj, true);
        const old = s.peek(access, at);
        s.poke(access, at, access === 'w' ? f(narrow(old), narrow(s.rk)) : f(old, s.rk));
        s.rd = old;
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

/** One ordering of all operations: plain, or `_db` with its barrier (which a sequential machine has anyway). */
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

export const ATOMIC: readonly Row[] = [
  loadLinked('w', '00100000'),
  storeConditional('w', '00100001'),
  loadLinked('d', '00100010'),
  storeConditional('d', '00100011'),
  ...family('', 0b00111000011000000),
  ...family('_db', 0b00111000011010010),
];
