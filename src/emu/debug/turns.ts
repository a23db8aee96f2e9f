/** Does long work in several turns of the event loop, so that signals, other clients and Ctrl-C are handled in between. */

import type { Runtime } from '../runtime/runtime.ts';
import { type Steps, WAITING } from '../runtime/steps.ts';

/** Milliseconds of work in a turn. */
const TURN_MS = 20;

/** Thrown into work that must end early, so that the work can clean up. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
  }
}

export class Turns {
  private readonly runtime: Runtime;
  private steps: Steps<unknown> | undefined;
  private cancelled = false;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** Is there work that has not ended? */
  get active(): boolean {
    return this.steps !== undefined;
  }

  /**
   * Begins work. Its first turn runs at once, so short work is done before this returns.
   * @param done called with the result @param failed called with the error that the work threw, also {@link Interrupted}
   * @param cancelled the work is interrupted after its first step
   */
  run<T>(steps: Steps<T>, done: (result: T) => void, failed: (error: unknown) => void, cancelled = false): void {
    this.steps = steps;
    this.cancelled = cancelled;
    let begun = false;
    const turn = (): void => {
      // Abandoned.
      if (this.steps !== steps) return;
      const until = this.runtime.now() + TURN_MS;
      let result: T;
      try {
        for (;;) {
          // What has not begun yet could not clean up.
          const thrown = begun && this.cancelled;
          if (begun) this.cancelled = false;
          begun = true;
          const piece = thrown ? steps.throw(new Interrupted()) : steps.next();
          if (piece.done) {
            result = piece.value;
            break;
          }
          if (piece.value === WAITING || this.runtime.now() >= until) {
            this.runtime.soon(turn);
            return;
          }
        }
      } catch (error) {
        this.steps = undefined;
        failed(error);
        return;
      }
      this.steps = undefined;
      done(result);
    };
    turn();
  }

  /** Interrupts the work. */
  cancel(): void {
    this.cancelled = this.active;
  }

  /** Ends the work without a result, when nobody waits for it any more. */
  abandon(): void {
    const { steps } = this;
    this.steps = undefined;
    steps?.return(undefined);
  }
}
