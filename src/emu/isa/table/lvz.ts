/** LVZ: guest CSR access, guest TLB instructions, hypercall (docs/lvz.md). */
import type { HelperName } from '../../cpu/helpers.ts';
import { type Row, row } from '../row.ts';

const FLAGS = { priv: true, guest: 'INE', ext: 'lvz' } as const;
const plain = (name: string & HelperName, code: string): Row =>
  row(name, code, '', FLAGS, (s) => {
    s.call(name, 0);
  });

export const LVZ: readonly Row[] = [
  row('gcsrrd', '00000101 csr 00000 rd', 'rd, csr', FLAGS, (s) => {
    s.rd = s.call('gcsrrd', 0, s.imm('csr'));
  }),
  row('gcsrwr', '00000101 csr 00001 rd', 'rd, csr', FLAGS, (s) => {
    s.rd = s.call('gcsrwr', 0, s.imm('csr'), s.rdv);
  }),
  row('gcsrxchg', '00000101 csr rj!=0!=1 rd', 'rd, rj, csr', FLAGS, (s) => {
    s.pass(s.rj);
    s.rd = s.call('gcsrxchg', 0, s.imm('csr'), s.rdv);
  }),
  plain('gtlbclr', '00000110010010000010000000000001'),
  plain('gtlbflush', '00000110010010000010010000000001'),
  plain('gtlbsrch', '00000110010010000010100000000001'),
  plain('gtlbrd', '00000110010010000010110000000001'),
  plain('gtlbwr', '00000110010010000011000000000001'),
  plain('gtlbfill', '00000110010010000011010000000001'),
  row('hvcl', '00000000001010111 code15', 'code15', { ext: 'lvz' }, (s) => {
    s.call('hvcl', 0);
  }),
];
