/** The core runs in any JavaScript runtime: here in one whose clock and event loop the test turns by hand. */
import { expect, test } from 'vitest';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { RunControl, type RunOptions } from '../../src/emu/debug/run-control.ts';
import type { End } from '../../src/emu/debug/stop.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import type { Runtime } from '../../src/emu/runtime/runtime.ts';
import { assemble } from '../support/test-machine.ts';

const CODE = 0x10000;

/** A runtime in which nothing happens by itself. */
class HandRuntime implements Runtime {
  time = 0;
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

/** Runs a program to its end, as long as the runtime has something to do. */
async function endOf(code: readonly string[], options: RunOptions, tick: number): Promise<[End, HandRuntime]> {
  const runtime = new HandRuntime();
  const machine = new Machine({
    runtime,
    ramSize: 32 << 20,
    cpus: 1,
    features: featuresOf('max', {}),
    seed: 1,
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
