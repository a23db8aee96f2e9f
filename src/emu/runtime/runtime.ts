/**
 * What the core needs from the JavaScript runtime around it (Node, a browser) in addition to the language and
 * WebAssembly. The layers above handle files, sockets, workers and terminals.
 */

/** Clocks. The machine's own time does not depend on them unless the user asks for it (`--clock host`). */
export interface RuntimeClock {
  /** Milliseconds, with fractions, of a clock that never goes back. Its zero has no meaning. */
  now(): number;
  /** The time of day in milliseconds since 1970. */
  timeOfDay(): number;
}

export interface Runtime extends RuntimeClock {
  /** Runs a task soon: after this turn of the event loop, and after input and timers that are due. */
  soon(task: () => void): void;
  /**
   * Runs a task once, after this many milliseconds.
   * @returns a function that cancels it; a second or late call has no effect
   */
  after(ms: number, task: () => void): () => void;
}
