/** The machine at power-on without its RAM, which is loaded again, and what came from outside since then: enough to repeat the run. */
import type { Machine, MachineCopy } from '../machine/machine.ts';
import type { Fields, Stateful } from '../state/fields.ts';
import { restoreShared, saveShared } from '../state/shared-copy.ts';
import type { InputEntry } from './journal.ts';

/** Most input that is remembered, in parts, and the latest position from which the whole run is repeated. */
const MOST_REMEMBERED = 10_000;
const FARTHEST = 3_000_000_000;

export class PowerOn {
  private readonly machine: Machine;
  private readonly extras: readonly Stateful[];
  private readonly rest: MachineCopy;
  private readonly seen: readonly Fields[];
  readonly input: InputEntry[] = [];

  /** A machine that has just been loaded. @param extras data of observers that go with it */
  constructor(machine: Machine, extras: readonly Stateful[]) {
    this.machine = machine;
    this.extras = extras;
    this.rest = machine.copy();
    this.seen = extras.map((part) => saveShared(part, undefined));
  }

  /** Can the run up to a position be repeated in a short time? */
  reaches(position: number): boolean {
    return position <= FARTHEST && this.input.length <= MOST_REMEMBERED;
  }

  /** Something has come from outside. */
  came(entry: InputEntry): void {
    if (this.input.length <= MOST_REMEMBERED) this.input.push(entry);
  }

  /** The machine becomes as it was at power-on. */
  restore(): void {
    this.machine.powerOnAgain(this.rest);
    this.extras.forEach((part, n) => {
      restoreShared(part, this.seen[n]!);
    });
  }
}
