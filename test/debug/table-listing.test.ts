/** What a table maps: `monitor info stage2` and `info pagetable`. */
import { expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { mappedRanges } from '../../src/emu/debug/table-listing.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { TestMachine } from '../support/test-machine.ts';

const [ROOT, PAGES] = [0x400000, 0x401000];
const V = 1;
const D = 2;
const HUGE = 0x40;

test('entries that are not valid and name a page, as Linux KVM makes them of pages that it ages, are listed where that is asked for', () => {
  const { machine, cpu } = new TestMachine();
  // Pages of 4 KiB (9 bits), and one directory (9 bits).
  cpu.host.setLo(CSR.PWCL, 12 | (9 << 5) | (21 << 10) | (9 << 15));
  const word = (at: number, value: number): void =>
    machine.ram.write(at, new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  word(ROOT, PAGES);
  word(ROOT + 8 * 3, 0x1400000 | HUGE | D);
  word(PAGES + 8 * 2, 0x1002000 | V | D);
  word(PAGES + 8 * 3, 0x1003000 | D);
  const listed = (invalid: boolean): string[] => {
    const table = { csr: cpu.host, ram: machine.ram, root: ROOT, place: (slot: number) => slot, invalid };
    return finish(mappedRanges(table, 10)).ranges.map((r) => `${r.from.toString(16)} ${r.at.toString(16)} ${r.rights}`);
  };
  expect(listed(false)).toEqual(['2000 1002000 V D (writable) PLV0 MAT=0']);
  expect(listed(true)).toEqual([
    '2000 1002000 V D (writable) PLV0 MAT=0',
    '3000 1003000 not valid (V=0) D (writable) PLV0 MAT=0',
    '600000 1400000 not valid (V=0) D (writable) PLV0 MAT=0',
  ]);
});
