/** The past of one CPU, instruction by instruction, and how much of it a question runs again. */
import { expect, test } from 'vitest';
import type { Cpu } from '../../src/emu/cpu/cpu.ts';
import { type HistoryEntry, listingHistory } from '../../src/emu/debug/history-list.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';
import { APPROACH } from '../../src/emu/replay/history.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { Driven } from '../support/driven.ts';
import { stateHash } from '../support/state-hash.ts';
import { TestMachine } from '../support/test-machine.ts';

/** @returns how many instructions the machine has executed since, forwards, also again */
function counted(machine: Machine): () => number {
  const run = machine.run.bind(machine);
  let sum = 0;
  machine.run = (budget, until) => {
    const before = machine.instructions;
    const result = run(budget, until);
    sum += machine.instructions - before;
    return result;
  };
  return () => sum;
}

test.each([0, 1])('each instruction of CPU %i is seen, and turns of the other CPU are passed at once', async (n) => {
  const { control } = await Driven.boot(['smp,vcpus=2'], { smp: 2 });
  const { history, machine, replayer } = control;
  const cpu = machine.cpus[n]!;
  const [first, last] = [3_350_000, 3_450_000];
  history.replay(last + 100_000);
  const seen = (c: Cpu): string => `${history.position} ${c.pc} ${c.world}`;
  const one: string[] = [];
  history.goto(first);
  while (history.position < last) {
    if (machine.nextCpu() === cpu) one.push(seen(cpu));
    history.replay(history.position + 1);
  }
  const hash = stateHash(machine);
  const each: string[] = [];
  let passed = 0;
  finish(
    replayer.replayingEach(cpu, first, last, (c) => {
      if (c === cpu) each.push(seen(c));
      else passed++;
    }),
  );
  expect(each).toEqual(one);
  expect(one.length).toBeGreaterThan(10_000);
  expect(stateHash(machine)).toBe(hash);
  // The other CPU had turns of up to 10,000 instructions; in `idle` it wakes for a few.
  expect(last - first - one.length).toBeGreaterThan(20 * passed);
});

/** A program that writes a CSR in each round of 512 instructions. */
const ROUND = 512;
const slow = (): TestMachine =>
  new TestMachine({
    code: [
      'addi.d $a0, $a0, 1',
      'csrwr $a1, 0x30',
      ...Array.from({ length: ROUND - 3 }, () => 'addi.d $a2, $a2, 1'),
      `b ${-4 * (ROUND - 1)}`,
    ],
  });

test('questions at a moment of the past run again what was just before it, and nothing of the long way there', () => {
  const { machine, cpu } = slow();
  const control = new RunControl(machine);
  const { history, replayer } = control;
  history.enable(true);
  history.replay(6_000_000);
  const now = 5_900_000;
  replayer.goto(now);
  const [far, near] = APPROACH;
  for (const [question, most] of [
    [() => finish(listingHistory(control, cpu, 20, 'csr')), near + 10_000],
    [() => finish(listingHistory(control, cpu, 20)), 2 * near],
    [() => replayer.goto(now - 3), near],
    [() => finish(listingHistory(control, cpu, 20, 'csr')), near + 10_000],
    [() => replayer.goto(now - 1), 2],
    [() => replayer.goto(now - near - 1000), far],
  ] as const) {
    const ran = counted(machine);
    question();
    expect(ran()).toBeLessThanOrEqual(most);
  }
});

test('the newest entries of any kind are the last of a longer list', () => {
  const { machine, cpu } = slow();
  const control = new RunControl(machine);
  control.history.enable(true);
  control.history.replay(400_000);
  const list = (count: number, kind?: HistoryEntry['kind']): HistoryEntry[] =>
    finish(listingHistory(control, cpu, count, kind));
  const all = list(900);
  expect(all.length).toBe(900);
  expect(all.map((e) => e.kind).slice(-2)).toEqual(['branch', 'csr']);
  for (const count of [5, 30, 60, 300]) expect(list(count)).toEqual(all.slice(-count));
  expect(list(30, 'branch')).toEqual(all.filter((e) => e.kind === 'branch').slice(-30));
  expect(list(30, 'csr')).toEqual(all.filter((e) => e.kind === 'csr').slice(-30));
  expect(control.history.position).toBe(400_000);
});
