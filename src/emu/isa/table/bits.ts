/** Bit counting, byte and bit reversal, bit strings, sign extension (Vol. 1, section 2.2.3). */
import { type Row, row } from '../row.ts';
import * as $ from '../semantics.ts';
import { c64, ext32, type Node, type Semantics, w } from '../semantics.ts';

const r2 = (name: string, code: string, f: (a: Node, s: Semantics) => Node): Row =>
  row(name, `${code} rj rd`, 'rd, rj', {}, (s) => {
    s.rd = f(s.rj, s);
  });

/** One step of a reversal: swaps neighbouring groups of `n` bits; `mask` selects the lower group of each pair. */
function swap(s: Semantics, x: Node, n: number, mask: bigint): Node {
  const v = s.let(x);
  const m = c64(mask);
  return $.or($.and($.shrU(v, c64(n)), m), $.shl($.and(v, m), c64(n)));
}

const M1 = 0x5555555555555555n;
const M2 = 0x3333333333333333n;
const M4 = 0x0f0f0f0f0f0f0f0fn;
const M8 = 0x00ff00ff00ff00ffn;
const M16 = 0x0000ffff0000ffffn;

const bytesIn16 = (s: Semantics, x: Node): Node => swap(s, x, 8, M8);
const bytesIn32 = (s: Semantics, x: Node): Node => swap(s, bytesIn16(s, x), 16, M16);
const bytesIn64 = (s: Semantics, x: Node): Node => $.rotr(s.let(bytesIn32(s, x)), c64(32));
const bitsIn8 = (s: Semantics, x: Node): Node => swap(s, swap(s, swap(s, x, 1, M1), 2, M2), 4, M4);

/** Ones in bits msb..lsb, from decode-time values. */
const field = (msb: Node, lsb: Node): Node => $.shl($.shrU(c64(-1), $.sub(c64(63), $.sub(msb, lsb))), lsb);

export const BITS: readonly Row[] = [
  r2('clo.w', '0000000000000000000100', (a) => $.zx($.clz($.not(w(a))))),
  r2('clz.w', '0000000000000000000101', (a) => $.zx($.clz(w(a)))),
  r2('cto.w', '0000000000000000000110', (a) => $.zx($.ctz($.not(w(a))))),
  r2('ctz.w', '0000000000000000000111', (a) => $.zx($.ctz(w(a)))),
  r2('clo.d', '0000000000000000001000', (a) => $.clz($.not(a))),
  r2('clz.d', '0000000000000000001001', (a) => $.clz(a)),
  r2('cto.d', '0000000000000000001010', (a) => $.ctz($.not(a))),
  r2('ctz.d', '0000000000000000001011', (a) => $.ctz(a)),
  r2('revb.2h', '0000000000000000001100', (a, s) => ext32(bytesIn16(s, a))),
  r2('revb.4h', '0000000000000000001101', (a, s) => bytesIn16(s, a)),
  r2('revb.2w', '0000000000000000001110', (a, s) => bytesIn32(s, a)),
  r2('revb.d', '0000000000000000001111', (a, s) => bytesIn64(s, a)),
  r2('revh.2w', '0000000000000000010000', (a, s) => swap(s, a, 16, M16)),
  r2('revh.d', '0000000000000000010001', (a, s) => $.rotr(s.let(swap(s, a, 16, M16)), c64(32))),
  r2('bitrev.4b', '0000000000000000010010', (a, s) => ext32(bitsIn8(s, a))),
  r2('bitrev.8b', '0000000000000000010011', (a, s) => bitsIn8(s, a)),
  r2('bitrev.w', '0000000000000000010100', (a, s) => ext32(bytesIn32(s, bitsIn8(s, a)))),
  r2('bitrev.d', '0000000000000000010101', (a, s) => bytesIn64(s, bitsIn8(s, a))),
  r2('ext.w.h', '0000000000000000010110', (a) => $.ext16(a)),
  r2('ext.w.b', '0000000000000000010111', (a) => $.ext8(a)),
  row('bytepick.w', '000000000000100 sa2 rk rj rd', 'rd, rj, rk, sa2', {}, (s) => {
    // Byte sa of rk:rj, counted from the top: the pair as one 64-bit value, rk high.
    const pair = $.or($.shl(s.rk, c64(32)), $.zx(w(s.rj)));
    s.rd = ext32($.shrU(pair, $.sub(c64(32), $.shl(s.imm('sa2'), c64(3)))));
  }),
  row('bytepick.d', '00000000000011 sa3 rk rj rd', 'rd, rj, rk, sa3', {}, (s) => {
    const up = $.shl(s.imm('sa3'), c64(3));
    // Shifting right by 64 would be by 0: two steps keep sa = 0 right.
    s.rd = $.or($.shl(s.rk, up), $.shrU($.shrU(s.rj, c64(1)), $.sub(c64(63), up)));
  }),
  row('bstrins.w', '00000000011 msbw 0 lsbw rj rd', 'rd, rj, msbw, lsbw', { ordered: ['msbw', 'lsbw'] }, (s) => {
    const m = s.let(field(s.imm('msbw'), s.imm('lsbw')));
    s.rd = ext32($.or($.and(s.rdv, $.not(m)), $.and($.shl(s.rj, s.imm('lsbw')), m)));
  }),
  row('bstrpick.w', '00000000011 msbw 1 lsbw rj rd', 'rd, rj, msbw, lsbw', { ordered: ['msbw', 'lsbw'] }, (s) => {
    s.rd = ext32($.shrU($.and(s.rj, field(s.imm('msbw'), s.imm('lsbw'))), s.imm('lsbw')));
  }),
  row('bstrins.d', '0000000010 msbd lsbd rj rd', 'rd, rj, msbd, lsbd', { ordered: ['msbd', 'lsbd'] }, (s) => {
    const m = s.let(field(s.imm('msbd'), s.imm('lsbd')));
    s.rd = $.or($.and(s.rdv, $.not(m)), $.and($.shl(s.rj, s.imm('lsbd')), m));
  }),
  row('bstrpick.d', '0000000011 msbd lsbd rj rd', 'rd, rj, msbd, lsbd', { ordered: ['msbd', 'lsbd'] }, (s) => {
    s.rd = $.shrU($.and(s.rj, field(s.imm('msbd'), s.imm('lsbd'))), s.imm('lsbd'));
  }),
];
