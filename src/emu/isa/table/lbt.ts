/** The state of LBT: scratch registers, flags, stack top (Vol. 3). Its arithmetic is not implemented. */
import { type Row, row } from '../row.ts';
import * as $ from '../semantics.ts';
import { c64, type Node, type Semantics } from '../semantics.ts';

const LBT = { ext: 'lbt', unit: 'lbt' } as const;

/** Bits of EFLAGS that bits 0 to 5 of the mask stand for: CF, PF, AF, ZF, SF, OF. */
const FLAG_BITS = [0, 2, 4, 6, 7, 11] as const;

/** The mask operand as bits of EFLAGS. */
const flagMask = (s: Semantics): Node =>
  FLAG_BITS.map((bit, i) => $.shl($.and($.shrU(s.imm('ui8'), c64(i)), c64(1)), c64(bit))).reduce($.or);

const turn = (name: string, word: number, by: number): Row =>
  row(name, word.toString(2).padStart(32, '0'), '', LBT, (s) => {
    s.setState('ftop', $.and($.add(s.state('ftop', 'i64'), c64(by)), c64(7)));
  });

export const LBT_STATE: readonly Row[] = [
  row('movgr2scr', '0000000000000000000010 rj 000 scrd', 'scrd, rj', LBT, (s) => {
    s.scrd = s.rj;
  }),
  row('movscr2gr', '0000000000000000000011 000 scrj rd', 'rd, scrj', LBT, (s) => {
    s.rd = s.scrj;
  }),
  row('x86mttop', '000000000000000001110000 ui3 00000', 'ui3', LBT, (s) => {
    s.setState('ftop', s.imm('ui3'));
  }),
  row('x86mftop', '000000000000000001110100000 rd', 'rd', LBT, (s) => {
    s.rd = s.state('ftop', 'i64');
  }),
  turn('x86inctop', 0x8009, 1),
  turn('x86dectop', 0x8029, -1),
  row('x86mfflag', '00000000010111 ui8 00000 rd', 'rd, ui8', LBT, (s) => {
    s.rd = $.and(s.state('eflags', 'i64'), flagMask(s));
  }),
  row('x86mtflag', '00000000010111 ui8 00001 rd', 'rd, ui8', LBT, (s) => {
    const mask = s.let(flagMask(s));
    s.setState('eflags', $.or($.and(s.state('eflags', 'i64'), $.not(mask)), $.and(s.rdv, mask)));
  }),
];
