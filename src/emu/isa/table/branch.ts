/** Branches, jumps, system calls (Vol. 1, sections 2.2.4 and 2.2.10). */
import { type Row, row } from '../row.ts';
import * as $ from '../semantics.ts';
import { c64, type Node } from '../semantics.ts';

const compareBranch = (name: string, code: string, f: (a: Node, b: Node) => Node): Row =>
  row(name, `${code} offs16 rj rd`, 'rj, rd, offs16', {}, (s) => s.br('offs16', f(s.rj, s.rdv)));

const zeroBranch = (name: string, code: string, f: (a: Node, b: Node) => Node): Row =>
  row(name, `${code} offs21[15:0] rj offs21[20:16]`, 'rj, offs21', {}, (s) => s.br('offs21', f(s.rj, c64(0))));

export const BRANCH: readonly Row[] = [
  zeroBranch('beqz', '010000', $.eq),
  zeroBranch('bnez', '010001', $.ne),
  row('jirl', '010011 offs16 rj rd', 'rd, rj, offs16', {}, (s) => {
    const target = s.let($.add(s.rj, s.imm('offs16')));
    s.rd = $.add(s.pc, c64(4));
    s.jr(target);
  }),
  row('b', '010100 offs26[15:0] offs26[25:16]', 'offs26', {}, (s) => s.br('offs26')),
  row('bl', '010101 offs26[15:0] offs26[25:16]', 'offs26', {}, (s) => {
    s.ra = $.add(s.pc, c64(4));
    s.br('offs26');
  }),
  compareBranch('beq', '010110', $.eq),
  compareBranch('bne', '010111', $.ne),
  compareBranch('blt', '011000', $.ltS),
  compareBranch('bge', '011001', $.geS),
  compareBranch('bltu', '011010', $.ltU),
  compareBranch('bgeu', '011011', $.geU),
  row('break', '00000000001010100 code15', 'code15', {}, (s) => s.raise('BRK')),
  row('syscall', '00000000001010110 code15', 'code15', {}, (s) => s.raise('SYS')),
];
