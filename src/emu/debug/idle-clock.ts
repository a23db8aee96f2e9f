/**
 * While input may arrive at the console, an idle machine follows real time; it does not jump ahead in virtual time. So
 * it uses no time of the computer that runs loongscope, and its cursor blinks at the right speed. The guest sees no
 * difference.
 */
import { TIMER_HZ } from '../cpu/clock.ts';
import type { Machine } from '../machine/machine.ts';

const TICKS_PER_MS = TIMER_HZ / 1000;

export class IdleClock {
  private readonly machine: Machine;
  private readonly mayWake: () => boolean;
  private readonly repeating: () => boolean;
  private since: { readonly instructions: number; readonly time: number; readonly wall: number } | undefined;

  /**
   * @param mayWake may input still arrive from outside?
   * @param repeating does the machine execute its past again? Then nothing new arrives before the latest position.
   */
  constructor(machine: Machine, mayWake: () => boolean, repeating: () => boolean) {
    this.machine = machine;
    this.mayWake = mayWake;
    this.repeating = repeating;
    machine.mayJumpTo = () => this.limit();
  }

  /** How far time may advance by itself. */
  private limit(): number {
    const { machine } = this;
    const { clock, runtime } = machine.options;
    if (clock) return clock();
    if (!this.mayWake() || this.repeating()) return Number.POSITIVE_INFINITY;
    const { instructions, time } = machine;
    if (this.since?.instructions !== instructions) this.since = { instructions, time, wall: runtime.now() };
    return this.since.time + (runtime.now() - this.since.wall) * TICKS_PER_MS;
  }

  /** Milliseconds until a timer of the machine expires. */
  get untilTimer(): number {
    return (this.machine.wakeTime - this.limit()) / TICKS_PER_MS;
  }
}
