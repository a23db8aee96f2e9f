/** The limits that the user has set for a run: a number of instructions, and a time on the clock of the runtime. */
import type { Machine } from '../machine/machine.ts';
import type { RuntimeClock } from '../runtime/runtime.ts';
import type { End, Limits } from './stop.ts';

export class RunLimits {
  private readonly limits: Limits;
  private readonly clock: RuntimeClock;
  /** The end of the allowed time, on the clock of the runtime. */
  private deadline = Number.POSITIVE_INFINITY;

  constructor(limits: Limits, clock: RuntimeClock) {
    this.limits = limits;
    this.clock = clock;
  }

  /** Starts the time. */
  begin(): void {
    if (this.limits.timeoutSeconds !== undefined) this.deadline = this.clock.now() + this.limits.timeoutSeconds * 1000;
  }

  /** The instruction of the machine at which the limits must be checked again. */
  get instructions(): number {
    return this.limits.maxInstructions ?? Number.POSITIVE_INFINITY;
  }

  /** Milliseconds until the time is over. */
  get timeLeft(): number {
    return this.deadline - this.clock.now();
  }

  timeOver(): End | undefined {
    return this.timeLeft <= 0 ? { kind: 'limit', what: 'time' } : undefined;
  }

  instructionsOver(machine: Machine): End | undefined {
    return machine.instructions >= this.instructions ? { kind: 'limit', what: 'instructions' } : undefined;
  }
}
