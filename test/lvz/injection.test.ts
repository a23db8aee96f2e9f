/** What a falling line does to the level that the host has injected beside it (docs/lvz.md Q12). */
import { expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { setLine } from '../../src/emu/cpu/interrupts.ts';
import { TestMachine } from '../support/test-machine.ts';

test('GINTC.HWIC takes an injected level back when its line falls, not when it rises, and no other line', () => {
  const HWI0 = 2;
  const m = new TestMachine().setHost({ GINTC: 0x01_00_03 });
  const state = (): number[] => [Number(m.host(CSR.GINTC)), Number(m.guest(CSR.ESTAT))];
  setLine(m.cpu, HWI0, true);
  expect(state()).toEqual([0x01_00_03, 0xc]);
  setLine(m.cpu, HWI0 + 1, true);
  setLine(m.cpu, HWI0 + 1, false);
  expect(state()).toEqual([0x01_00_03, 0xc]);
  setLine(m.cpu, HWI0, false);
  expect(state()).toEqual([0x01_00_02, 8]);
});
