/** Going back and forth in time: the same machine, bit for bit. */
import { describe, expect, test } from 'vitest';
import type { Cpu } from '../../src/emu/cpu/cpu.ts';
import { findingMoment } from '../../src/emu/debug/moment-search.ts';
import { parseSought } from '../../src/emu/debug/sought-moments.ts';
import { History } from '../../src/emu/replay/history.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { restoreFields, saveFields } from '../../src/emu/state/fields.ts';
import { Driven } from '../support/driven.ts';
import { stateHash } from '../support/state-hash.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

describe('copies of a machine', () => {
  test('a machine goes on from a copy as if it had never stopped', async () => {
    const driven = await Driven.boot(['paging']);
    const { machine } = driven.control;
    driven.control.history.enable(false);
    machine.run(3_100_000);
    const copy = machine.save();
    const before = stateHash(machine);
    machine.run(60_000);
    const after = stateHash(machine);
    expect(after).not.toBe(before);
    machine.restore(copy);
    expect(stateHash(machine)).toBe(before);
    machine.run(60_000);
    expect(stateHash(machine)).toBe(after);
  });

  test('fields are copied by value and restored in place', () => {
    const part = {
      stateFields: ['list', 'bytes', 'map', 'pairs', 'n'],
      list: [1, 2],
      bytes: Uint8Array.of(1, 2),
      map: new Map([['a', { x: Uint8Array.of(7) }]]),
      pairs: [Uint8Array.of(1), Uint8Array.of(2)],
      n: 5,
    };
    const { list, bytes, map, pairs } = part;
    const saved = saveFields(part);
    part.list.push(3);
    part.bytes[0] = 9;
    part.map.get('a')!.x[0] = 8;
    part.map.set('b', { x: Uint8Array.of(1) });
    part.pairs[1]![0] = 5;
    part.n = 6;
    restoreFields(part, saved);
    expect(part.list).toBe(list);
    expect(part.bytes).toBe(bytes);
    expect(part.map).toBe(map);
    expect(part.pairs[1]).toBe(pairs[1]);
    expect([part.list, [...part.bytes], part.map.get('a')!.x[0], part.map.size, part.pairs[1]![0], part.n]).toEqual([
      [1, 2],
      [1, 2],
      7,
      1,
      2,
      5,
    ]);
  });
});

describe('history', () => {
  test.each([
    [1, 'two,name=a,append=a'],
    [2, 'smp,vcpus=2'],
  ])('any moment on %i CPUs can be gone back to, and comes out the same', async (smp, guest) => {
    const driven = await Driven.boot([guest], { smp });
    const { history, machine } = driven.control;
    const positions = [2_600_000, 2_612_345, 2_700_001, 3_333_333, 4_000_000];
    const hashes = positions.map((at) => {
      history.replay(at);
      expect(history.position).toBe(at);
      return stateHash(machine);
    });
    for (const n of [3, 0, 4, 1, 2, 2]) {
      driven.control.replayer.goto(positions[n]!);
      expect(stateHash(machine), `at ${positions[n]}`).toBe(hashes[n]);
    }
    // From the past it goes on to the same future.
    driven.control.replayer.goto(positions[0]!);
    history.replay(positions[4]!);
    expect(stateHash(machine)).toBe(hashes[4]);
  });

  test('stops do not change what several CPUs do', async () => {
    const straight = (await Driven.boot(['smp,vcpus=2'], { smp: 2 })).control;
    straight.history.replay(3_500_000);
    const stopped = (await Driven.boot(['smp,vcpus=2'], { smp: 2 })).control;
    for (let at = 2_600_000; at < 3_500_000; at += 7_919) stopped.history.replay(at);
    stopped.history.replay(3_500_000);
    expect(stateHash(stopped.machine)).toBe(stateHash(straight.machine));
  });

  test('steps, input and CPUs held still happen again at their place', async () => {
    const driven = await Driven.boot(['smp,vcpus=2'], { smp: 2 });
    const { control } = driven;
    const { history, machine } = control;
    history.replay(2_700_000);
    // Steps that change the order: only CPU 1 for some time; then a key; then only CPU 0.
    for (let n = 0; n < 100; n++) history.step(machine.cpus[1]!, false);
    history.input(Uint8Array.of(0x61));
    history.hold([machine.cpus[1]!]);
    history.replay(history.position + 5_000);
    history.hold([]);
    history.replay(history.position + 20_000);
    const end = history.position;
    const hash = stateHash(machine);
    control.replayer.goto(2_650_000);
    control.replayer.goto(end);
    expect(stateHash(machine)).toBe(hash);
  });

  test('a step of a CPU that waits is repeated, and what follows it too', () => {
    const { machine } = new TestMachine({ cpus: 2, code: ['addi.d $a0, $a0, 1', 'b -4', 'idle 0', 'b -4'] });
    const [first, second] = machine.cpus as [Cpu, Cpu];
    second.parked = false;
    second.pc = BigInt(CODE);
    first.pc = BigInt(CODE + 8);
    const history = new History(machine, []);
    history.enable(true);
    history.replay(20_000);
    expect([first.idle, history.step(first, false)]).toEqual([true, 'waiting']);
    history.replay(history.position + 3_000);
    const [between, a0] = [history.position, second.gpr(4)];
    history.replay(between + 3_000);
    // A copy of the end would save the way through the step.
    expect([history.goto(between), second.gpr(4)]).toEqual([between, a0]);
  });

  test('CPUs held still are still again when the past runs again', () => {
    const { machine } = new TestMachine({ cpus: 2, code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const [first, second] = machine.cpus as [Cpu, Cpu];
    second.parked = false;
    second.pc = BigInt(CODE);
    const history = new History(machine, []);
    history.enable(true);
    history.replay(40_000);
    history.hold([first]);
    history.replay(history.position + 50_000);
    history.hold([]);
    history.replay(history.position + 4_000);
    const [end, counts] = [history.position, machine.cpus.map((c) => c.icount)];
    // CPU 0 stood still while CPU 1 ran on alone.
    expect(counts[1]! - counts[0]!).toBeGreaterThan(40_000);
    expect(history.restoreBefore(0)).toBe(0);
    history.replay(end);
    expect(machine.cpus.map((c) => c.icount)).toEqual(counts);
  });

  test('the last instruction of a CPU that has waited for long is found without a repetition of the wait', () => {
    const { machine } = new TestMachine({ cpus: 2, code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const [first, second] = machine.cpus as [Cpu, Cpu];
    second.parked = false;
    second.pc = BigInt(CODE);
    const history = new History(machine, []);
    history.enable(true);
    history.replay(40_000);
    history.hold([second]);
    const held = history.position;
    for (let n = 0; n < 10; n++) {
      history.replay(history.position + 50_000);
      // A copy of this moment.
      history.goto(history.position - 1);
      history.goto(history.end);
    }
    const end = history.position;
    expect(history.idleSince(first)).toBe(end);
    const since = history.idleSince(second);
    expect(since).toBeGreaterThanOrEqual(held);
    expect(since).toBeLessThanOrEqual(held + 50_000);
    history.goto(since);
    expect(second.icount).toBeGreaterThan(0);
    expect(history.idleSince(second)).toBe(since);
  });

  test('the last exit of a vCPU is known without a repetition, also that there is none', async () => {
    const { control } = await Driven.boot(['two,name=a,append=a']);
    const { history, replayer } = control;
    history.replay(4_000_000);
    const last = finish(findingMoment(control, parseSought('last exit in VM 1')!));
    expect(last).toBeGreaterThan(2_500_000);
    for (const [at, exit] of [
      [4_000_000, last],
      [2_000_000, undefined],
    ] as const) {
      replayer.goto(at);
      expect(finish(replayer.findingExitOf(1, 0, at))).toBe(exit);
      expect(history.position).toBe(at);
    }
  });

  test('an exception or exit is found by its number, between the copies around it', async () => {
    const { control } = await Driven.boot(['two,name=a,append=a']);
    const { history, machine, replayer } = control;
    const cpu = machine.cpus[0]!;
    const places = new Map<number, { at: number; time: number }>();
    const remove = cpu.observe({
      exception: () => void places.set(cpu.events.total - 1, { at: control.position(), time: cpu.now }),
    });
    for (let n = 1; n <= 8; n++) {
      history.replay(n * 500_000);
      // A copy of this moment.
      history.goto(history.position - 1);
      history.goto(history.end);
    }
    remove();
    const end = history.position;
    const numbers = [...places.keys()];
    const before = (at: number): number => history.copies.positions.findLast((position) => position <= at)!;
    const far = numbers.filter((n) => places.get(n)!.at - before(places.get(n)!.at) > 150_000);
    for (const number of [numbers[0]!, far[0]!, numbers[numbers.length >> 1]!, numbers.at(-1)!]) {
      const { at, time } = places.get(number)!;
      history.goto(end);
      // Wherever the machine is now.
      if (number === numbers[0]) history.goto(history.beginning);
      expect(finish(replayer.findingEvent(cpu, number, end, time - 40_000))).toBe(at);
      // What led to it is near a copy now.
      if (number === far[0]) expect(at - 40_000 - before(at - 40_000)).toBeLessThan(60_000);
      const behind = history.copies.positions.find((position) => position > at) ?? end;
      expect(history.position).toBeLessThanOrEqual(behind);
    }
    history.goto(end);
    // It has not come yet.
    expect(finish(replayer.findingEvent(cpu, cpu.events.total, end, 0))).toBeUndefined();
  });

  test('a debugger’s change makes another future', () => {
    const { machine, cpu } = new TestMachine({ code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const history = new History(machine, []);
    history.enable(true);
    history.replay(1000);
    expect(cpu.gpr(4)).toBe(500n);
    history.goto(100);
    expect(cpu.gpr(4)).toBe(50n);
    history.disturb();
    cpu.setGpr(4, 7000n);
    history.replay(200);
    expect(cpu.gpr(4)).toBe(7050n);
    expect(history.goto(100)).toBe(100);
    expect(cpu.gpr(4)).toBe(7000n);
    // Position 1000 of the dropped history is gone; positions before the change are not.
    expect(history.goto(1000)).toBe(200);
    history.goto(50);
    expect(cpu.gpr(4)).toBe(25n);
  });

  test('a change outlasts a look at the past, and happens again at its place', () => {
    const { machine, cpu } = new TestMachine({ code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const history = new History(machine, []);
    history.enable(true);
    history.replay(1000);
    history.disturb();
    cpu.setGpr(4, 7000n);
    // No instruction has followed yet.
    history.goto(100);
    expect(cpu.gpr(4)).toBe(50n);
    expect(history.goto(1000)).toBe(1000);
    expect(cpu.gpr(4)).toBe(7000n);
    history.replay(1100);
    expect(cpu.gpr(4)).toBe(7050n);
    // From the copy at the very beginning, over the change.
    expect(history.restoreBefore(0)).toBe(0);
    history.replay(1100);
    expect(cpu.gpr(4)).toBe(7050n);
  });

  test('a reset and the power button from outside outlast a look at the past', () => {
    const { machine, cpu } = new TestMachine({ code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const history = new History(machine, []);
    history.enable(true);
    history.replay(1000);
    history.disturb();
    machine.reset();
    machine.pressPowerButton();
    history.replay(1200);
    const after = stateHash(machine);
    expect(cpu.gpr(4)).toBeLessThan(500n);
    history.goto(100);
    expect(cpu.gpr(4)).toBe(50n);
    expect(history.goto(1200)).toBe(1200);
    expect(stateHash(machine)).toBe(after);
    machine.bus.read(0x100e0000, 4);
    expect(machine.bus.lo).toBe(2);
  });

  test('the console says nothing twice', async () => {
    const driven = await Driven.boot(['hello']);
    driven.control.history.replay(2_590_000);
    const said = driven.console.length;
    expect(said).toBeGreaterThan(50);
    driven.control.replayer.goto(0);
    driven.control.history.replay(2_590_000);
    expect(driven.console.length).toBe(said);
  });
});
