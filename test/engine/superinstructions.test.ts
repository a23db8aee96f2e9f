/** Handlers of the interpreter that execute two instructions: nobody must notice. */
import { expect, test } from 'vitest';
import { SUPERINSTRUCTIONS } from '../../src/emu/engine/superinstructions.ts';
import { planHandlers } from '../../src/emu/engine/uop.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const { pairs } = planHandlers(ROWS);

/** Handler numbers of the micro-ops of the first instructions of a program, once it has run. */
function handlers(m: TestMachine, count: number): number[] {
  const page = m.machine.uops.page(CODE, m.machine.ram.linearAddress(CODE), undefined);
  return Array.from({ length: count }, (_, n) => m.machine.mem.u16[(page.base + 8 * n) >> 1]!);
}

/** Runs a program long enough for the build that has the handlers, from its first instruction. */
const run = (m: TestMachine, instructions: number): void => {
  m.cpu.pc = BigInt(CODE);
  m.machine.run(instructions);
};

test('every pair has a handler', () => {
  expect(pairs.size).toBe(SUPERINSTRUCTIONS.length);
});

test('two instructions in a row become one handler, and both count', () => {
  const m = new TestMachine({ engine: 'interpreter', code: ['addi.d $a0, $a0, 1', 'addi.d $a0, $a0, 2', 'b -8'] });
  run(m, 30_001);
  expect([...pairs.values()]).toContain(handlers(m, 1)[0]);
  // 10 000 rounds of three, and the first instruction once more.
  expect([m.cpu.gpr(4), m.cpu.icount]).toEqual([30_001n, 30_001]);
});

test('a branch to the second executes it alone', () => {
  const m = new TestMachine({
    engine: 'interpreter',
    code: ['addi.d $a0, $a0, 1', 'addi.d $a1, $a1, 1', 'b -4'],
  });
  run(m, 20_000);
  expect([m.cpu.gpr(4), m.cpu.gpr(5)]).toEqual([1n, 10_000n]);
});

test('a store of the first that changes the second', () => {
  // The doubleword at a0 replaces the second store, and the one behind it, by two additions.
  const replacement = BigInt(assemble('addi.d $a3, $a3, 1')) * 0x1_0000_0001n;
  const m = new TestMachine({
    engine: 'interpreter',
    code: ['st.d $a1, $a0, 0', 'st.d $zero, $a2, 0', 'st.d $zero, $a2, 8', 'b 0'],
  });
  m.cpu.setGpr(4, BigInt(CODE + 4));
  m.cpu.setGpr(5, replacement);
  m.cpu.setGpr(6, 0x20000n);
  m.machine.ram.write(0x20000, Uint8Array.of(7));
  run(m, 10_000);
  expect([m.cpu.gpr(7), m.machine.ram.read(0x20000, 1)[0]]).toEqual([2n, 7]);
});

test('a store from elsewhere that changes the second', () => {
  const m = new TestMachine({ engine: 'interpreter', code: ['addi.d $a0, $a0, 1', 'addi.d $a0, $a0, 2', 'b -8'] });
  run(m, 9_000);
  m.code(CODE + 4, ['addi.d $a1, $a1, 1']);
  m.cpu.setGpr(4, 0n);
  m.cpu.pc = BigInt(CODE);
  m.machine.run(9_000);
  expect([m.cpu.gpr(4), m.cpu.gpr(5)]).toEqual([3_000n, 3_000n]);
});
