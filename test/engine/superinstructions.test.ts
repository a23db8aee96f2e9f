/** Handlers of the interpreter that execute two instructions: nobody must notice. */
import { expect, test } from 'vitest';
import { SUPERINSTRUCTIONS } from '../../src/emu/engine/superinstructions.ts';
import { planHandlers } from '../../src/emu/engine/uop.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const { pairs } = planHandlers(ROWS);

/** Handler numbers of the micro-ops of the first instructions of a program, once it has run. */
function handlers(bench: TestMachine, count: number): number[] {
  const page = bench.machine.uops.page(CODE, bench.machine.ram.linearAddress(CODE), undefined);
  return Array.from({ length: count }, (_, n) => bench.machine.mem.u16[(page.base + 8 * n) >> 1]!);
}

/** Runs a program long enough for the build that has the handlers, from its first instruction. */
const run = (bench: TestMachine, instructions: number): void => {
  bench.cpu.pc = BigInt(CODE);
  bench.machine.run(instructions);
};

test('every pair has a handler', () => {
  expect(pairs.size).toBe(SUPERINSTRUCTIONS.length);
});

test('two instructions in a row become one handler, and both count', () => {
  const bench = new TestMachine({ engine: 'interpreter', code: ['addi.d $a0, $a0, 1', 'addi.d $a0, $a0, 2', 'b -8'] });
  run(bench, 30_001);
  expect([...pairs.values()]).toContain(handlers(bench, 1)[0]);
  // 10 000 rounds of three, and the first instruction once more.
  expect([bench.cpu.gpr(4), bench.cpu.icount]).toEqual([30_001n, 30_001]);
});

test('a branch to the second executes it alone', () => {
  const bench = new TestMachine({
    engine: 'interpreter',
    code: ['addi.d $a0, $a0, 1', 'addi.d $a1, $a1, 1', 'b -4'],
  });
  run(bench, 20_000);
  expect([bench.cpu.gpr(4), bench.cpu.gpr(5)]).toEqual([1n, 10_000n]);
});

test('a store of the first that changes the second', () => {
  // The doubleword at a0 replaces the second store, and the one behind it, by two additions.
  const replacement = BigInt(assemble('addi.d $a3, $a3, 1')) * 0x1_0000_0001n;
  const bench = new TestMachine({
    engine: 'interpreter',
    code: ['st.d $a1, $a0, 0', 'st.d $zero, $a2, 0', 'st.d $zero, $a2, 8', 'b 0'],
  });
  bench.cpu.setGpr(4, BigInt(CODE + 4));
  bench.cpu.setGpr(5, replacement);
  bench.cpu.setGpr(6, 0x20000n);
  bench.machine.ram.write(0x20000, Uint8Array.of(7));
  run(bench, 10_000);
  expect([bench.cpu.gpr(7), bench.machine.ram.read(0x20000, 1)[0]]).toEqual([2n, 7]);
});

test('a store from elsewhere that changes the second', () => {
  const bench = new TestMachine({ engine: 'interpreter', code: ['addi.d $a0, $a0, 1', 'addi.d $a0, $a0, 2', 'b -8'] });
  run(bench, 9_000);
  bench.code(CODE + 4, ['addi.d $a1, $a1, 1']);
  bench.cpu.setGpr(4, 0n);
  bench.cpu.pc = BigInt(CODE);
  bench.machine.run(9_000);
  expect([bench.cpu.gpr(4), bench.cpu.gpr(5)]).toEqual([3_000n, 3_000n]);
});
