/**
 * What the core asks of the JavaScript runtime around it (Node, a browser) beyond the language and WebAssembly. Files, sockets,
 * workers and terminals are the business of the floors above.
 */

/** Clocks. The machine's own time never comes from here unless the user asks for it (`--clock host`). */
export interface RuntimeClock {
  /** Milliseconds of a clock that never goes back, with fractions; its beginning means nothing. */
  now(): number;
  /** The time of day in milliseconds since 1970. */
  timeOfDay(): number;
}

export interface Runtime extends RuntimeClock {
  /** Carries out a task soon: after this turn of the event loop, and after input and timers that are due. */
  soon(task: () => void): void;
  /** Carries out a task once, after so many milliseconds. @returns what calls it off; to call that again, or late, does nothing */
  after(ms: number, task: () => void): () => void;
}
