/** A number of instructions that takes about a wanted time. The time for one instruction can change by a factor of a thousand. */
import type { RuntimeClock } from '../runtime/runtime.ts';

/** The smallest budget is this part of the largest. Halves and doubles of it contain whole rounds of several CPUs. */
const LEAST_PART = 64;

export class AdaptiveBudget {
  private readonly clock: RuntimeClock;
  private readonly goalMs: number;
  private readonly most: number;
  private instructions: number;

  /**
   * @param goalMs how long a run should take, in milliseconds
   * @param most instructions of the longest run
   * @param first of the first run
   */
  constructor(clock: RuntimeClock, goalMs: number, most: number, first = most) {
    this.clock = clock;
    this.goalMs = goalMs;
    this.most = most;
    this.instructions = first;
  }

  /** Runs with the budget, and adapts it for the next run. */
  run<T>(body: (instructions: number) => T): T {
    const began = this.clock.now();
    const result = body(this.instructions);
    const took = this.clock.now() - began;
    if (took > 2 * this.goalMs) this.instructions = Math.max(this.most / LEAST_PART, this.instructions / 2);
    else if (took < this.goalMs / 2) this.instructions = Math.min(this.most, this.instructions * 2);
    return result;
  }
}
