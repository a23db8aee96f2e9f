/** Integer arithmetic, logic, shifts and comparisons (Vol. 1, sections 2.2.1 and 2.2.2). */
import { type Row, row } from '../row.ts';
import * as $ from '../semantics.ts';
import { c64, ext32, type Node, sx, w } from '../semantics.ts';
import { mulHigh, mulHighU } from '../wide.ts';

/** A row `name rd, rj, rk` whose result is `f(rj, rk)`. */
const r3 = (name: string, code: string, f: (a: Node, b: Node) => Node): Row =>
  row(name, `${code} rk rj rd`, 'rd, rj, rk', {}, (s) => {
    s.rd = f(s.rj, s.rk);
  });

/** A row with one immediate: `f(rj, immediate)`. */
const ri = (
  name: string,
  code: string,
  imm: 'si12' | 'ui12' | 'ui5' | 'ui6' | 'si16',
  f: (a: Node, i: Node) => Node,
): Row =>
  row(name, `${code} ${imm} rj rd`, `rd, rj, ${imm}`, {}, (s) => {
    s.rd = f(s.rj, s.imm(imm));
  });

const w32 =
  (f: (a: Node, b: Node) => Node) =>
  (a: Node, b: Node): Node =>
    sx(f(w(a), w(b)));
const bool =
  (f: (a: Node, b: Node) => Node) =>
  (a: Node, b: Node): Node =>
    $.zx(f(a, b));

/**
 * Division never traps, and the manual does not define x/0. Here, as on the oracle, the divisor is then taken as 1, and also for
 * the one quotient that overflows (most negative value divided by −1).
 */
function division(name: string, code: string, f: (a: Node, b: Node) => Node, kind: 'd' | 'du' | 'w' | 'wu'): Row {
  return row(name, `${code} rk rj rd`, 'rd, rj, rk', {}, (s) => {
    const narrow = (x: Node): Node => (kind === 'w' ? ext32(x) : kind === 'wu' ? $.zx(w(x)) : x);
    const a = s.let(narrow(s.rj));
    const b = s.let(narrow(s.rk));
    const bad = kind === 'd' ? $.or($.isZero(b), $.and($.eq(a, c64(-(1n << 63n))), $.eq(b, c64(-1)))) : $.isZero(b);
    const q = f(a, $.sel(bad, c64(1), b));
    s.rd = kind === 'w' || kind === 'wu' ? ext32(q) : q;
  });
}

/** `pcaddi` and relatives: rd = PC + (immediate << shift). */
const pcRelative = (name: string, code: string, shift: number, align: boolean): Row =>
  row(name, `${code} si20 rd`, 'rd, si20', {}, (s) => {
    const sum = $.add(s.pc, $.shl(s.imm('si20'), c64(shift)));
    s.rd = align ? $.and(sum, c64(~0xfffn)) : sum;
  });

/** Shift-and-add: (rj << sa) + rk, sa in 1..4. */
const alsl = (name: string, code: string, finish: (x: Node) => Node): Row =>
  row(name, `${code} sa2p1 rk rj rd`, 'rd, rj, rk, sa2p1', {}, (s) => {
    s.rd = finish($.add($.shl(s.rj, s.imm('sa2p1')), s.rk));
  });

export const ARITHMETIC: readonly Row[] = [
  r3('add.w', '00000000000100000', w32($.add)),
  r3('add.d', '00000000000100001', $.add),
  r3('sub.w', '00000000000100010', w32($.sub)),
  r3('sub.d', '00000000000100011', $.sub),
  r3('slt', '00000000000100100', bool($.ltS)),
  r3('sltu', '00000000000100101', bool($.ltU)),
  r3('maskeqz', '00000000000100110', (a, b) => $.sel($.isZero(b), c64(0), a)),
  r3('masknez', '00000000000100111', (a, b) => $.sel($.isZero(b), a, c64(0))),
  r3('nor', '00000000000101000', (a, b) => $.not($.or(a, b))),
  r3('and', '00000000000101001', $.and),
  r3('or', '00000000000101010', $.or),
  r3('xor', '00000000000101011', $.xor),
  r3('orn', '00000000000101100', (a, b) => $.or(a, $.not(b))),
  r3('andn', '00000000000101101', (a, b) => $.and(a, $.not(b))),
  r3('sll.w', '00000000000101110', w32($.shl)),
  r3('srl.w', '00000000000101111', w32($.shrU)),
  r3('sra.w', '00000000000110000', w32($.shrS)),
  r3('sll.d', '00000000000110001', $.shl),
  r3('srl.d', '00000000000110010', $.shrU),
  r3('sra.d', '00000000000110011', $.shrS),
  r3('rotr.w', '00000000000110110', w32($.rotr)),
  r3('rotr.d', '00000000000110111', $.rotr),
  r3('mul.w', '00000000000111000', w32($.mul)),
  r3('mulh.w', '00000000000111001', (a, b) => $.shrS($.mul(ext32(a), ext32(b)), c64(32))),
  r3('mulh.wu', '00000000000111010', (a, b) => $.shrS($.mul($.zx(w(a)), $.zx(w(b))), c64(32))),
  r3('mul.d', '00000000000111011', $.mul),
  row('mulh.d', '00000000000111100 rk rj rd', 'rd, rj, rk', {}, (s) => {
    s.rd = mulHigh(s, s.rj, true, s.rk, true);
  }),
  row('mulh.du', '00000000000111101 rk rj rd', 'rd, rj, rk', {}, (s) => {
    s.rd = mulHighU(s, s.rj, s.rk);
  }),
  r3('mulw.d.w', '00000000000111110', (a, b) => $.mul(ext32(a), ext32(b))),
  r3('mulw.d.wu', '00000000000111111', (a, b) => $.mul($.zx(w(a)), $.zx(w(b)))),
  division('div.w', '00000000001000000', $.divS, 'w'),
  division('mod.w', '00000000001000001', $.remS, 'w'),
  division('div.wu', '00000000001000010', $.divU, 'wu'),
  division('mod.wu', '00000000001000011', $.remU, 'wu'),
  division('div.d', '00000000001000100', $.divS, 'd'),
  division('mod.d', '00000000001000101', $.remS, 'd'),
  division('div.du', '00000000001000110', $.divU, 'du'),
  division('mod.du', '00000000001000111', $.remU, 'du'),
  alsl('alsl.w', '000000000000010', ext32),
  alsl('alsl.wu', '000000000000011', (x) => $.zx(w(x))),
  alsl('alsl.d', '000000000010110', (x) => x),
  ri('slli.w', '00000000010000001', 'ui5', (a, i) => sx($.shl(w(a), w(i)))),
  ri('slli.d', '0000000001000001', 'ui6', $.shl),
  ri('srli.w', '00000000010001001', 'ui5', (a, i) => sx($.shrU(w(a), w(i)))),
  ri('srli.d', '0000000001000101', 'ui6', $.shrU),
  ri('srai.w', '00000000010010001', 'ui5', (a, i) => sx($.shrS(w(a), w(i)))),
  ri('srai.d', '0000000001001001', 'ui6', $.shrS),
  ri('rotri.w', '00000000010011001', 'ui5', (a, i) => sx($.rotr(w(a), w(i)))),
  ri('rotri.d', '0000000001001101', 'ui6', $.rotr),
  ri('slti', '0000001000', 'si12', bool($.ltS)),
  ri('sltui', '0000001001', 'si12', bool($.ltU)),
  ri('addi.w', '0000001010', 'si12', w32($.add)),
  ri('addi.d', '0000001011', 'si12', $.add),
  ri('lu52i.d', '0000001100', 'si12', (a, i) => $.or($.and(a, c64((1n << 52n) - 1n)), $.shl(i, c64(52)))),
  ri('andi', '0000001101', 'ui12', $.and),
  ri('ori', '0000001110', 'ui12', $.or),
  ri('xori', '0000001111', 'ui12', $.xor),
  ri('addu16i.d', '000100', 'si16', (a, i) => $.add(a, $.shl(i, c64(16)))),
  row('lu12i.w', '0001010 si20 rd', 'rd, si20', {}, (s) => {
    s.rd = $.shl(s.imm('si20'), c64(12));
  }),
  row('lu32i.d', '0001011 si20 rd', 'rd, si20', {}, (s) => {
    s.rd = $.or($.zx(w(s.rdv)), $.shl(s.imm('si20'), c64(32)));
  }),
  pcRelative('pcaddi', '0001100', 2, false),
  pcRelative('pcalau12i', '0001101', 12, true),
  pcRelative('pcaddu12i', '0001110', 12, false),
  pcRelative('pcaddu18i', '0001111', 18, false),
  // Signed numbers, unlike the bounds of ldgt and its relatives (Vol. 1, 2.2.10.3).
  row('asrtle.d', '00000000000000010 rk rj 00000', 'rj, rk', {}, (s) => {
    s.if($.ltS(s.rk, s.rj), () => s.raise('BCE', s.rj));
  }),
  row('asrtgt.d', '00000000000000011 rk rj 00000', 'rj, rk', {}, (s) => {
    s.if($.geS(s.rk, s.rj), () => s.raise('BCE', s.rj));
  }),
  ...(['b', 'h', 'w', 'd'] as const).flatMap((size, i) =>
    (['crc', 'crcc'] as const).map((kind) =>
      row(
        `${kind}.w.${size}.w`,
        `00000000001001${kind === 'crcc' ? 1 : 0}${i.toString(2).padStart(2, '0')} rk rj rd`,
        'rd, rj, rk',
        { ext: 'crc' },
        (s) => {
          s.rd = s.call('crc', (kind === 'crcc' ? 16 : 0) + (1 << i), s.rj, s.rk);
        },
      ),
    ),
  ),
  row('dbar', '00111000011100100 code15', 'code15', {}, (s) => {
    s.fence();
  }),
  row('ibar', '00111000011100101 code15', 'code15', {}, (s) => {
    s.call('ibar', 0);
  }),
  row('rdtimel.w', '0000000000000000011000 rj rd', 'rd, rj', {}, (s) => rdtime(s, ext32)),
  row('rdtimeh.w', '0000000000000000011001 rj rd', 'rd, rj', {}, (s) => rdtime(s, (t) => $.shrS(t, c64(32)))),
  row('rdtime.d', '0000000000000000011010 rj rd', 'rd, rj', {}, (s) => rdtime(s, (t) => t)),
  row('cpucfg', '0000000000000000011011 rj rd', 'rd, rj', { guest: 'GSPR' }, (s) => {
    s.rd = s.call('cpucfg', 0, s.rj);
  }),
];

/** The counter goes to rd, the counter's identity (TID) to the rj field's register. */
function rdtime(s: $.Semantics, part: (t: Node) => Node): void {
  const t = s.call('rdtime', 0);
  s.rd = part(t);
  s.setRj(s.state('argB', 'i64'));
}
