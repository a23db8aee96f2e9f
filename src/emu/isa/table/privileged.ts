/** Privileged instructions: CSRs, IOCSRs, TLB maintenance, page walks, ertn, idle (Vol. 1, section 4.2). */

import type { Callee } from '../../cpu/helpers.ts';
import { type Row, row } from '../row.ts';
import * as $ from '../semantics.ts';

const iocsrRead = (size: string, code: string, bytes: number): Row =>
  row(`iocsrrd.${size}`, `${code} rj rd`, 'rd, rj', { priv: true, guest: 'GSPR', ext: 'privileged' }, (s) => {
    s.rd = s.call('iocsrrd', bytes, s.rj);
  });
const iocsrWrite = (size: string, code: string, bytes: number): Row =>
  row(`iocsrwr.${size}`, `${code} rj rd`, 'rd, rj', { priv: true, guest: 'GSPR', ext: 'privileged' }, (s) => {
    s.call('iocsrwr', bytes, s.rj, s.rdv);
  });
/** An instruction without operands that a helper of the same name carries out. */
const plain = (name: Callee, code: string): Row =>
  row(name, code, '', { priv: true, ext: 'privileged' }, (s) => {
    s.call(name, 0);
  });

export const PRIVILEGED: readonly Row[] = [
  row('csrrd', '00000100 csr 00000 rd', 'rd, csr', { priv: true, ext: 'privileged' }, (s) => {
    s.rd = s.call('csrrd', 0, s.imm('csr'));
  }),
  row('csrwr', '00000100 csr 00001 rd', 'rd, csr', { priv: true, ext: 'privileged' }, (s) => {
    s.rd = s.call('csrwr', 0, s.imm('csr'), s.rdv);
  }),
  row('csrxchg', '00000100 csr rj!=0!=1 rd', 'rd, rj, csr', { priv: true, ext: 'privileged' }, (s) => {
    s.pass(s.rj);
    s.rd = s.call('csrxchg', 0, s.imm('csr'), s.rdv);
  }),
  row('cacop', '0000011000 si12 rj code5', 'code5, rj, si12', { priv: true, ext: 'privileged' }, (s) => {
    s.call('cacop', 0, $.add(s.rj, s.imm('si12')), s.imm('code5'));
  }),
  row('lddir', '00000110010000 level8 rj rd', 'rd, rj, level8', { priv: true, ext: 'lspw' }, (s) => {
    s.rd = s.call('lddir', 0, s.rj, s.imm('level8'));
  }),
  row('ldpte', '00000110010001 level8 rj 00000', 'rj, level8', { priv: true, ext: 'lspw' }, (s) => {
    s.call('ldpte', 0, s.rj, s.imm('level8'));
  }),
  iocsrRead('b', '0000011001001000000000', 1),
  iocsrRead('h', '0000011001001000000001', 2),
  iocsrRead('w', '0000011001001000000010', 4),
  iocsrRead('d', '0000011001001000000011', 8),
  iocsrWrite('b', '0000011001001000000100', 1),
  iocsrWrite('h', '0000011001001000000101', 2),
  iocsrWrite('w', '0000011001001000000110', 4),
  iocsrWrite('d', '0000011001001000000111', 8),
  plain('tlbclr', '00000110010010000010000000000000'),
  plain('tlbflush', '00000110010010000010010000000000'),
  plain('tlbsrch', '00000110010010000010100000000000'),
  plain('tlbrd', '00000110010010000010110000000000'),
  plain('tlbwr', '00000110010010000011000000000000'),
  plain('tlbfill', '00000110010010000011010000000000'),
  plain('ertn', '00000110010010000011100000000000'),
  row('idle', '00000110010010001 code15', 'code15', { priv: true, guest: 'GSPR', ext: 'privileged' }, (s) => {
    s.call('idle', 0);
  }),
  row('invtlb', '00000110010010011 rk rj code5', 'code5, rj, rk', { priv: true, ext: 'privileged' }, (s) => {
    s.pass(s.imm('code5'));
    s.call('invtlb', 0, s.rj, s.rk);
  }),
  row('dbcl', '00000000001010101 code15', 'code15', { ext: 'privileged' }, (s) => {
    s.call('dbcl', 0);
  }),
];
