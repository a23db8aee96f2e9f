/** Samples of a CPU's state: what makes two of them equal. */
import { expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { StateSamples } from '../../src/emu/debug/state-samples.ts';
import { STATE } from '../../src/emu/memory/layout.ts';
import { TestMachine } from '../support/test-machine.ts';

const STACK = 0x10_0000;

function sampled(): { m: TestMachine; take: (position: number) => boolean } {
  const m = new TestMachine().set({ sp: STACK, s0: 5 }).poke(STACK, 1n, 2n, 3n);
  const { vcpuStates } = new RunControl(m.machine);
  const samples = new StateSamples({ machine: m.machine, vcpuStates });
  return { m, take: (position) => samples.take(m.cpu, position) };
}

test('the same state is known again', () => {
  const { take } = sampled();
  expect([take(1), take(2), take(1000)]).toEqual([false, true, true]);
});

test.each<[string, (m: TestMachine) => void]>([
  ['a register', (m) => m.set({ s0: 6 })],
  ['the upper half of a register', (m) => m.set({ s0: 5n + (1n << 40n) })],
  ['PC', (m) => (m.cpu.pc += 4n)],
  ['a word of the stack', (m) => m.poke(STACK + 16, 4n)],
  ['the stack pointer', (m) => m.set({ sp: STACK + 8 })],
])('another state: %s', (_, change) => {
  const { m, take } = sampled();
  take(1);
  change(m);
  expect(take(2)).toBe(false);
  expect(take(3)).toBe(true);
});

test('floating-point registers count where the program may use them', () => {
  const { m, take } = sampled();
  const compute = (): void => {
    m.cpu.mem.i32[(m.cpu.base + STATE.fpr) >> 2]! += 1;
  };
  take(1);
  compute();
  expect(take(2)).toBe(true);
  m.cpu.csr.setLo(CSR.EUEN, 1);
  compute();
  expect(take(3)).toBe(false);
  compute();
  expect(take(4)).toBe(false);
});

test('who goes back in time does not meet his own samples', () => {
  const { take } = sampled();
  expect([take(10), take(5), take(10)]).toEqual([false, false, true]);
});

test('a stack outside RAM is left out', () => {
  const { m, take } = sampled();
  m.set({ sp: 0x1fe0_01e0 });
  expect([take(1), take(2)]).toEqual([false, true]);
});
