/** The core runs in any JavaScript runtime: here in one whose clock and event loop the test turns by hand. */
import { expect, test } from 'vitest';
import { TIMER_HZ } from '../../src/emu/cpu/clock.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { RunControl, type RunOptions } from '../../src/emu/debug/run-control.ts';
import type { End } from '../../src/emu/debug/stop.ts';
import { Turns } from '../../src/emu/debug/turns.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import type { Runtime } from '../../src/emu/runtime/runtime.ts';
import { type Steps, WAITING } from '../../src/emu/runtime/steps.ts';
import { assemble } from '../support/test-machine.ts';

const CODE = 0x10000;

/** A runtime in which nothing happens by itself. */
class HandRuntime implements Runtime {
  time = 0;
  /** What was carried out. */
  turns = 0;
  readonly tasks: (() => void)[] = [];
  readonly timers = new Map<() => void, number>();

  now(): number {
    return this.time;
  }

  timeOfDay(): number {
    return this.time;
  }

  soon(task: () => void): void {
    this.tasks.push(task);
  }

  after(ms: number, task: () => void): () => void {
    this.timers.set(task, this.time + ms);
    return () => this.timers.delete(task);
  }

  /** Carries out what waits, then goes on to the next timer. @returns false when nothing is left */
  turn(): boolean {
    this.turns++;
    const task = this.tasks.shift();
    if (task) {
      task();
      return true;
    }
    const [next] = [...this.timers].sort((a, b) => a[1] - b[1]);
    if (!next) return false;
    this.timers.delete(next[0]);
    this.time = Math.max(this.time, next[1]);
    next[0]();
    return true;
  }
}

/** Runs a program to its end, as long as the runtime has something to do. `real`: in real time. */
async function endOf(
  code: readonly string[],
  options: RunOptions,
  tick: number,
  real = false,
): Promise<[End, HandRuntime]> {
  const runtime = new HandRuntime();
  const machine = new Machine({
    runtime,
    ramSize: 32 << 20,
    cpus: 1,
    features: featuresOf('max', {}),
    seed: 1,
    clock: real ? () => runtime.time * (TIMER_HZ / 1000) : undefined,
    console: () => {},
  });
  const data = new Uint8Array(Uint32Array.from(code.map(assemble)).buffer);
  const segments = [{ paddr: BigInt(CODE), vaddr: BigInt(CODE), memsz: data.length, data }];
  machine.load({ image: { entry: BigInt(CODE), segments }, commandLine: '', extra: [] });
  const control = new RunControl(machine, options);
  let end: End | undefined;
  const done = control.run().then((e) => {
    end = e;
  });
  while (!control.over && runtime.turn()) runtime.time += tick;
  if (!control.over) control.quit();
  await done;
  return [end!, runtime];
}

test('a limit of time is by the clock of the runtime', async () => {
  const [end, { time, timers }] = await endOf(['b 0'], { limits: { timeoutSeconds: 1 } }, 250);
  expect(end).toEqual({ kind: 'limit', what: 'time' });
  expect(time).toBeGreaterThanOrEqual(1000);
  expect(time).toBeLessThan(2000);
  expect(timers.size).toBe(0);
});

test('a machine that waits for its reader sleeps until its time is over', async () => {
  const options = { limits: { timeoutSeconds: 5, maxInstructions: 1000 }, mustWait: () => true };
  const [end, { time, timers }] = await endOf(['b 0'], options, 0);
  expect(end).toEqual({ kind: 'limit', what: 'time' });
  expect(time).toBe(5000);
  expect(timers.size).toBe(0);
});

test('a run with nothing to wait for needs the event loop alone', async () => {
  const [end, { time }] = await endOf(['b 0'], { limits: { maxInstructions: 1_000_000 } }, 0);
  expect(end).toEqual({ kind: 'limit', what: 'instructions' });
  expect(time).toBe(0);
});

/** A timer of 10 ms wakes the program 50 times from `idle`. */
const TICKING = [
  ...['lu12i.w $t0, 0x11', 'csrwr $t0, 12', 'lu12i.w $t0, 0xf4', 'ori $t0, $t0, 0x243', 'csrwr $t0, 0x41'],
  ...['ori $t0, $zero, 0x800', 'csrwr $t0, 4', 'ori $t0, $zero, 4', 'ori $t1, $zero, 4', 'csrxchg $t0, $t1, 0'],
  ...['ori $s1, $zero, 50', 'idle 0', 'bne $s0, $s1, -4'],
  ...['lu12i.w $t0, 0x100e0', 'ori $t1, $zero, 0x34', 'st.b $t1, $t0, 0x1c', 'b 0'],
];
const HANDLER = ['ori $t3, $zero, 1', 'csrwr $t3, 0x44', 'addi.d $s0, $s0, 1', 'ertn'];
const ticking = [...TICKING, ...Array<string>(1024 - TICKING.length).fill('b 0'), ...HANDLER];

test('in real time, an idle machine with a timer sleeps from tick to tick', async () => {
  const [end, { time, turns }] = await endOf(ticking, {}, 0, true);
  expect(end).toEqual({ kind: 'poweroff' });
  expect([time > 499, time < 501]).toEqual([true, true]);
  // A tick is a timer and a turn or two of the event loop. A machine that looks at the clock all the time needs thousands.
  expect(turns).toBeLessThan(50 * 4);
});

test('in virtual time, the same machine needs no time', async () => {
  const [end, { time }] = await endOf(ticking, {}, 0);
  expect([end, time]).toEqual([{ kind: 'poweroff' }, 0]);
});

test('work that waits for something outside gives the event loop a turn each time', () => {
  const runtime = new HandRuntime();
  function* work(): Steps<string> {
    for (let n = 0; n < 3; n++) yield WAITING;
    for (let n = 0; n < 3; n++) yield;
    return 'done';
  }
  const results: string[] = [];
  new Turns(runtime).run(
    work(),
    (result) => results.push(result),
    () => {},
  );
  // Pieces that take no time are all done in one turn.
  let turns = 0;
  for (; results.length === 0; turns++) runtime.turn();
  expect(turns).toBe(3);
});
