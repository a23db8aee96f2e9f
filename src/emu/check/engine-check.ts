/** Runs a second machine with the interpreter, and compares it with the first one at intervals. */
import type { Machine } from '../machine/machine.ts';
import { differences } from './state-digest.ts';

/** Instructions between comparisons. */
export const CHECK_INTERVAL = 10_000_000;

export class EngineCheck {
  private readonly machine: Machine;
  private readonly shadow: Machine;
  private readonly interval: number;
  private compared = 0;
  /** Comparisons made. */
  count = 0;

  /** @param shadow an equal machine that has not run yet */
  constructor(machine: Machine, shadow: Machine, interval = CHECK_INTERVAL) {
    this.machine = machine;
    this.shadow = shadow;
    this.interval = interval;
  }

  /** The instruction at which the next comparison is due. */
  get due(): number {
    return this.compared + this.interval;
  }

  /** Bytes for the console have arrived now. */
  input(bytes: Uint8Array): void {
    this.shadow.consoleInput(bytes);
  }

  /** A frame for the network card has arrived now. */
  frame(frame: Uint8Array): void {
    this.shadow.networkInput(frame);
  }

  /**
   * When a comparison is due, or when it `must` happen: runs the shadow to the same instruction and compares.
   * @returns the differences between the machines
   */
  follow(must = false): string | undefined {
    const { machine, shadow } = this;
    const target = machine.instructions;
    while (shadow.instructions < target) {
      const before = shadow.instructions;
      const result = shadow.run(Number.MAX_SAFE_INTEGER, target);
      shadow.clearStops();
      if (shadow.instructions === before && result !== 'slice')
        return `the engines disagree: interpreted, the machine ends at instruction ${before}; it has got to ${target}`;
    }
    if (!must && target < this.compared + this.interval) return undefined;
    const since = this.compared;
    this.compared = target;
    this.count++;
    const list = differences(machine, shadow);
    return list.length === 0
      ? undefined
      : `the engines disagree between instructions ${since} and ${target} on: ${list.join(', ')}`;
  }
}
