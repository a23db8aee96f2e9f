/** The past of one CPU, instruction by instruction, and how much of it a question runs again. */
import { expect, test } from 'vitest';
import type { Cpu } from '../../src/emu/cpu/cpu.ts';
import { type HistoryEntry, listingHistory } from '../../src/emu/debug/history-list.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { APPROACH } from '../../src/emu/replay/history.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { counted } from '../support/counted.ts';
import { Driven } from '../support/driven.ts';
import { stateHash } from '../support/state-hash.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

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
    [() => finish(listingHistory(control, cpu, 20, 'csr')), near + 60_000],
    [() => finish(listingHistory(control, cpu, 20)), 4 * near],
    [() => replayer.goto(now - 3), 2 * near],
    [() => finish(listingHistory(control, cpu, 20, 'csr')), near + 60_000],
    [() => replayer.goto(now - 1), 2],
    // A copy that was there already may be so far away.
    [() => replayer.goto(now - near - 1000), 2 * far],
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

/** Runs on to a position, and leaves a copy of that moment. */
function copiedAt(control: RunControl, position: number): void {
  control.history.replay(position);
  control.replayer.goto(position - 1);
  control.replayer.goto(position);
}

test('CSR writes long ago are found without the time in which none was written', () => {
  const { machine, cpu } = new TestMachine({
    code: [
      'addi.d $a0, $zero, 1',
      'csrwr $a0, 0x30',
      'addi.d $a0, $zero, 2',
      'csrwr $a0, 0x30',
      'csrwr $a0, 0x7ff',
      'b 0',
    ],
  });
  const control = new RunControl(machine);
  control.history.enable(true);
  for (let n = 1; n <= 8; n++) copiedAt(control, n * 1_000_000);
  const ran = counted(machine);
  const found = finish(listingHistory(control, cpu, 20, 'csr'));
  // No register has the number 0x7ff.
  expect(found.map((e) => [e.at, e.kind === 'csr' ? e.value : undefined])).toEqual([
    [1, 1n],
    [3, 2n],
  ]);
  expect(control.history.position).toBe(8_000_000);
  expect(ran()).toBeLessThan(1_100_000);
});

test('CSR writes before a reset are found, even if all is as it was at a copy before them', () => {
  const { machine, cpu } = new TestMachine();
  // It waits, writes SAVE0, and resets the machine by its GED.
  const code = [
    ...['lu12i.w $t0, 24', 'addi.d $t0, $t0, -1', 'bnez $t0, -4', 'csrwr $zero, 0x30'],
    ...['lu12i.w $t1, 65760', 'ori $t1, $t1, 0x1e', 'ori $t2, $zero, 0x42', 'st.b $t2, $t1, 0', 'b 0'],
  ];
  const data = new Uint8Array(Uint32Array.from(code.map(assemble)).buffer);
  const place = { paddr: BigInt(CODE), vaddr: BigInt(CODE), memsz: data.length };
  machine.load({ image: { entry: BigInt(CODE), segments: [{ ...place, data }] }, commandLine: '', extra: [] });
  const control = new RunControl(machine);
  control.history.enable(true);
  copiedAt(control, 300_000);
  copiedAt(control, 500_000);
  expect(cpu.hasWrittenCsr(-1, 0x30)).toBe(false);
  const times = finish(listingHistory(control, cpu, 20, 'csr')).map((e) => e.at);
  expect(times).toEqual([196_609, 196_609 + 196_614]);
});
