/**
 * What counts as a fault (docs/fuzzing.md): an error that is none of ours, no answer in a second, memory that grows. What a single
 * area knows beside it (a file outside, a state that depends on secrets) its target throws as a {@link Fault} itself.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Something that must not happen. */
export class Fault extends Error {}

/** Runs an input. @throws Error, which is a fault whatever it is */
export type Target = (data: Uint8Array) => void;

type ErrorClass = abstract new (...args: never[]) => Error;

export interface AreaOptions {
  /** Errors that the code under test may throw; none when left out. */
  readonly ours?: readonly ErrorClass[];
  readonly run: (data: Uint8Array) => void;
}

/** Time of this thread on a processor, in microseconds: other programs on the machine do not count. */
const cpuTime = (): number => {
  const { user, system } = process.threadCpuUsage();
  return user + system;
};
const LONGEST = 1_000_000;
/** Executions between looks at the heap, and by how many bytes it may have grown since the first look. */
const LOOK_EVERY = 4096;
const MOST_GROWTH = 96 << 20;

let collect: (() => void) | undefined;

/** Bytes that are in use after a collection. */
function inUse(): number {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  // What the first collection lets go of may own memory that only a second one frees.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Puts the oracles that every area has around it. */
export function guarded({ ours = [], run }: AreaOptions): Target {
  let executions = 0;
  let first: number | undefined;
  return (data) => {
    const began = cpuTime();
    try {
      // A copy, as a file of its own would be.
      run(new Uint8Array(data));
    } catch (error) {
      if (!ours.some((c) => error instanceof c)) throw error;
    }
    const took = cpuTime() - began;
    if (took > LONGEST) throw new Fault(`no answer in a second: ${(took / 1e6).toFixed(1)} s`);
    if (++executions % LOOK_EVERY !== 0) return;
    const now = inUse();
    first ??= now;
    if (now - first > MOST_GROWTH)
      throw new Fault(`memory grows: by ${(now - first) >> 20} MiB in ${executions} executions`);
  };
}

/** Is an error what the engine throws for a defect, and not a message of ours? */
export const isDefect = (error: unknown): boolean =>
  !(error instanceof Error) ||
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof SyntaxError ||
  error instanceof ReferenceError ||
  'code' in error;
