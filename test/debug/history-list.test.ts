/** What a CPU did last, found in its past. */
import { expect, test } from 'vitest';
import { listingHistory } from '../../src/emu/debug/history-list.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { TestMachine } from '../support/test-machine.ts';

/** CSR SAVE0. */
const SAVE0 = 0x30;

test('CSR writes long ago and just now, with the values before and after', () => {
  const { machine } = new TestMachine({
    code: [
      // SAVE0 = 1, 2, 3; then a long loop; then SAVE0 = 5.
      'addi.d $a0, $zero, 1',
      `csrwr $a0, ${SAVE0}`,
      'addi.d $a0, $zero, 2',
      `csrwr $a0, ${SAVE0}`,
      'addi.d $a0, $zero, 3',
      `csrwr $a0, ${SAVE0}`,
      'lu12i.w $a1, 256',
      'addi.d $a1, $a1, -1',
      'bnez $a1, -4',
      'addi.d $a0, $zero, 5',
      `csrwr $a0, ${SAVE0}`,
      'b 0',
    ],
  });
  const control = new RunControl(machine);
  control.history.enable(true);
  control.history.replay(2_200_000);
  const [cpu] = machine.cpus;
  const last = (count: number): (readonly [bigint, bigint])[] => {
    const entries = finish(listingHistory(control, cpu!, count, 'csr'));
    expect(control.history.position).toBe(2_200_000);
    return entries.map((e) => (e.kind === 'csr' && e.num === SAVE0 ? [e.old, e.value] : [-1n, -1n]));
  };
  expect(last(1)).toEqual([[3n, 5n]]);
  expect(last(3)).toEqual([
    [1n, 2n],
    [2n, 3n],
    [3n, 5n],
  ]);
  expect(last(99)).toEqual([[0n, 1n], ...last(3)]);
});
