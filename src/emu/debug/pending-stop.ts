/** Why the machine is to stop, until its front ends have been told; and the silence in which nothing stops. */
import type { Machine } from '../machine/machine.ts';
import type { Steps } from '../replay/steps.ts';
import type { Scanner, Stop } from './stop.ts';

export class PendingStop {
  private readonly machine: Machine;
  private stop: Stop | undefined;
  /** Time goes over old ground: nothing stops, and with a scanner what would is reported. */
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

  /** Does it matter where breakpoints are? */
  get listens(): boolean {
    return !this.quiet || this.scanner !== undefined;
  }

  /**
   * Notes a reason to stop, at the moment `position`.
   * @returns whether the CPU shall stop now; not while time goes over old ground
   */
  meet(stop: Stop, position: number): boolean {
    if (this.quiet) {
      this.scanner?.(position, stop);
      return false;
    }
    this.note(stop);
    return true;
  }

  /** Notes a reason to stop. The first one counts. */
  note(stop: Stop): void {
    this.stop ??= stop;
  }

  /** This is the reason, whatever else was noted. */
  replace(stop: Stop): void {
    this.stop = stop;
  }

  /** The reason, which is dealt with from now on. */
  take(): Stop | undefined {
    const { stop } = this;
    this.stop = undefined;
    return stop;
  }

  /** Carries something out while nothing stops: for going over the past, or ahead of a client. */
  silently<T>(body: () => T, scanner?: Scanner): T {
    const loud = this.hush(scanner);
    try {
      return body();
    } finally {
      loud();
    }
  }

  /** The same in pieces. Between them clients must leave the machine alone. */
  *silentlyInPieces<T>(body: Steps<T>, scanner?: Scanner): Steps<T> {
    const loud = this.hush(scanner);
    try {
      return yield* body;
    } finally {
      loud();
    }
  }

  /** Nothing stops until the result is called. */
  private hush(scanner: Scanner | undefined): () => void {
    const { stop, machine } = this;
    this.quiet = true;
    this.scanner = scanner;
    machine.uops.clear();
    return () => {
      this.quiet = false;
      this.scanner = undefined;
      this.stop = stop;
      machine.clearStops();
      machine.uops.clear();
    };
  }
}
