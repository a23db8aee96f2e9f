/**
 * What the machine asks of the program around it. The core uses the JavaScript language, WebAssembly, and nothing of Node or of a
 * browser but this: files, sockets, workers and terminals are the business of the floors above.
 */

/** Clocks of the host. The machine's own time never comes from here unless the user asks for it (`--clock host`). */
export interface HostClock {
  /** Milliseconds of a clock that never goes back, with fractions; its beginning means nothing. */
  now(): number;
  /** The time of day in milliseconds since 1970. */
  timeOfDay(): number;
}

export interface Host extends HostClock {
  /** Carries out a task soon: after this turn of the event loop, and after input and timers that are due. */
  soon(task: () => void): void;
  /** Carries out a task once, after so many milliseconds. @returns what calls it off; to call that again, or late, does nothing */
  after(ms: number, task: () => void): () => void;
}
