/**
 * The reason to stop that has not been reported to the clients yet. During a replay nothing stops; a scanner gets the
 * reasons instead.
 */
import type { Machine } from '../machine/machine.ts';
import type { Steps } from '../runtime/steps.ts';
import type { Scanner, Stop } from './stop.ts';

export class PendingStop {
  private readonly machine: Machine;
  private stop: Stop | undefined;
  /** A replay is running: nothing stops. */
  private quiet = false;
  private scanner: Scanner | undefined;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get present(): boolean {
    return this.stop !== undefined;
  }

  get silent(): boolean {
    return this.quiet;
  }

  /** Are breakpoints needed, by the clients or by a scanner? */
  get listens(): boolean {
    return !this.quiet || this.scanner !== undefined;
  }

  /**
   * Records a reason to stop at a position of the history. During a replay only the scanner gets it.
   * @returns whether the CPU shall stop now
   */
  meet(stop: Stop, position: number): boolean {
    if (this.quiet) {
      this.scanner?.(position, stop);
      return false;
    }
    this.note(stop);
    return true;
  }

  /** Records a reason to stop. Only the first one counts. */
  note(stop: Stop): void {
    this.stop ??= stop;
  }

  /** Sets the reason, even if there is one already. */
  replace(stop: Stop): void {
    this.stop = stop;
  }

  /** Returns the reason and forgets it. */
  take(): Stop | undefined {
    const { stop } = this;
    this.stop = undefined;
    return stop;
  }

  /** Runs a function while nothing stops, for example a replay. */
  silently<T>(body: () => T, scanner?: Scanner): T {
    const loud = this.hush(scanner);
    try {
      return body();
    } finally {
      loud();
    }
  }

  /** The same in steps. Between the steps, clients must not use the machine. */
  *silentlyInPieces<T>(body: Steps<T>, scanner?: Scanner): Steps<T> {
    const loud = this.hush(scanner);
    try {
      return yield* body;
    } finally {
      loud();
    }
  }

  /** From now on nothing stops, until the returned function is called. */
  private hush(scanner: Scanner | undefined): () => void {
    const { stop, machine } = this;
    this.quiet = true;
    this.scanner = scanner;
    machine.uops.fetchAgain();
    return () => {
      this.quiet = false;
      this.scanner = undefined;
      this.stop = stop;
      machine.clearStops();
      machine.uops.fetchAgain();
    };
  }
}
