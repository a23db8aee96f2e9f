/** What a falling line does to the level that the host has injected beside it (docs/lvz.md Q12). */
import { expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { setLine } from '../../src/emu/cpu/interrupts.ts';
import { TestMachine } from '../support/test-machine.ts';

test('GINTC.HWIC takes an injected level back when its line falls, not when it rises, and no other line', () => {
  const HWI0 = 2;
  const bench = new TestMachine().setHost({ GINTC: 0x01_00_03 });
  const state = (): number[] => [Number(bench.host(CSR.GINTC)), Number(bench.guest(CSR.ESTAT))];
  setLine(bench.cpu, HWI0, true);
  expect(state()).toEqual([0x01_00_03, 0xc]);
  setLine(bench.cpu, HWI0 + 1, true);
  setLine(bench.cpu, HWI0 + 1, false);
  expect(state()).toEqual([0x01_00_03, 0xc]);
  setLine(bench.cpu, HWI0, false);
  expect(state()).toEqual([0x01_00_02, 8]);
});
