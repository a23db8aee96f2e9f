/** Long work in turns of the event loop, so that signals, other clients and Ctrl-C come in between. */

import type { Steps } from '../replay/steps.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** Milliseconds of work in a turn. */
const TURN_MS = 20;

/** Thrown into work that is to end early: whoever works leaves things in order. */
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
   * Begins work, the first turn of it at once: what is short is done before this returns.
   * @param done told the result @param failed told the error that the work threw, {@link Interrupted} too
   */
  run<T>(steps: Steps<T>, done: (result: T) => void, failed: (error: unknown) => void): void {
    this.steps = steps;
    this.cancelled = false;
    const turn = (): void => {
      // Abandoned.
      if (this.steps !== steps) return;
      const until = this.runtime.now() + TURN_MS;
      let result: T;
      try {
        for (;;) {
          const thrown = this.cancelled;
          this.cancelled = false;
          const piece = thrown ? steps.throw(new Interrupted()) : steps.next();
          if (piece.done) {
            result = piece.value;
            break;
          }
          if (this.runtime.now() >= until) {
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

  /** Has the work end soon. */
  cancel(): void {
    this.cancelled = this.active;
  }

  /** Ends the work without a result: nobody is there for it any more. */
  abandon(): void {
    const { steps } = this;
    this.steps = undefined;
    steps?.return(undefined);
  }
}
