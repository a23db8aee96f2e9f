/** Loads, stores, bound-checked accesses, prefetch (Vol. 1, sections 2.2.5 and 2.2.6). */
import { type Row, row } from '../row.ts';
import * as $ from '../semantics.ts';
import { ACCESS, type Access } from '../semantics.ts';
import { checkBound } from './bounds.ts';

const load = (access: Access, code: string): Row =>
  row(`ld.${access}`, `${code} si12 rj rd`, 'rd, rj, si12', {}, (s) => {
    s.rd = s.ld(access, $.add(s.rj, s.imm('si12')));
  });
const store = (access: Access, code: string): Row =>
  row(`st.${access}`, `${code} si12 rj rd`, 'rd, rj, si12', {}, (s) => {
    s.st(access, $.add(s.rj, s.imm('si12')), s.rdv);
  });
const loadX = (access: Access, code: string): Row =>
  row(`ldx.${access}`, `${code} rk rj rd`, 'rd, rj, rk', {}, (s) => {
    s.rd = s.ld(access, $.add(s.rj, s.rk));
  });
const storeX = (access: Access, code: string): Row =>
  row(`stx.${access}`, `${code} rk rj rd`, 'rd, rj, rk', {}, (s) => {
    s.st(access, $.add(s.rj, s.rk), s.rdv);
  });

/** The four widths of one bound-checked family. */
function checked(family: 'ldgt' | 'ldle' | 'stgt' | 'stle', first: number): Row[] {
  return (['b', 'h', 'w', 'd'] as const).map((access, i) =>
    row(`${family}.${access}`, `${(first + i).toString(2).padStart(17, '0')} rk rj rd`, 'rd, rj, rk', {}, (s) => {
      checkBound(s, family, ACCESS[access].size);
      if (family.startsWith('ld')) s.rd = s.ld(access, s.rj);
      else s.st(access, s.rj, s.rdv);
    }),
  );
}

export const MEMORY: readonly Row[] = [
  load('b', '0010100000'),
  load('h', '0010100001'),
  load('w', '0010100010'),
  load('d', '0010100011'),
  store('b', '0010100100'),
  store('h', '0010100101'),
  store('w', '0010100110'),
  store('d', '0010100111'),
  load('bu', '0010101000'),
  load('hu', '0010101001'),
  load('wu', '0010101010'),
  row('preld', '0010101011 si12 rj code5', 'code5, rj, si12', {}, () => {}),
  row('ldptr.w', '00100100 si14 rj rd', 'rd, rj, si14', {}, (s) => {
    s.rd = s.ld('w', $.add(s.rj, s.imm('si14')));
  }),
  row('stptr.w', '00100101 si14 rj rd', 'rd, rj, si14', {}, (s) => {
    s.st('w', $.add(s.rj, s.imm('si14')), s.rdv);
  }),
  row('ldptr.d', '00100110 si14 rj rd', 'rd, rj, si14', {}, (s) => {
    s.rd = s.ld('d', $.add(s.rj, s.imm('si14')));
  }),
  row('stptr.d', '00100111 si14 rj rd', 'rd, rj, si14', {}, (s) => {
    s.st('d', $.add(s.rj, s.imm('si14')), s.rdv);
  }),
  loadX('b', '00111000000000000'),
  loadX('h', '00111000000001000'),
  loadX('w', '00111000000010000'),
  loadX('d', '00111000000011000'),
  storeX('b', '00111000000100000'),
  storeX('h', '00111000000101000'),
  storeX('w', '00111000000110000'),
  storeX('d', '00111000000111000'),
  loadX('bu', '00111000001000000'),
  loadX('hu', '00111000001001000'),
  loadX('wu', '00111000001010000'),
  row('preldx', '00111000001011000 rk rj code5', 'code5, rj, rk', {}, () => {}),
  ...checked('ldgt', 0b00111000011110000),
  ...checked('ldle', 0b00111000011110100),
  ...checked('stgt', 0b00111000011111000),
  ...checked('stle', 0b00111000011111100),
];
