/** A run that was recorded: what came from outside, what the machine must be like, and states of it to go on from. */
import type { Machine, MachineRest } from '../machine/machine.ts';
import { PAGE } from '../memory/layout.ts';
import { type Fields, restoreFields, type Stateful } from '../state/fields.ts';
import type { CheckEntry, InputEntry } from './journal.ts';
import { acceptsObservers, acceptsRest } from './machine-snapshot.ts';

/** A state of a machine, as a recording has it. */
export interface StateContent {
  readonly rest: MachineRest;
  /** What observers had seen. */
  readonly observers: readonly Fields[];
  /** The pages of RAM that are not zero, by number. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
}

/** Where a recorded run can be entered. */
export interface RecordedState {
  readonly at: number;
  /** Entries of the run before it. */
  readonly entries: number;
  /** Had a guest been entered before it? @throws Error when it is damaged */
  readonly hadGuests: () => boolean;
  /** Unpacks it. @throws Error when it is damaged */
  readonly content: () => StateContent;
}

export interface RecordedRun {
  /** In the order in which they happened. */
  readonly entries: readonly (InputEntry | CheckEntry)[];
  /** In the order of their positions. */
  readonly states: readonly RecordedState[];
  /** Where the recording ends. */
  readonly end: number;
  /** Digests of the machine as it is, to be compared with those of the checks. */
  readonly digests: { readonly registers: () => string; readonly ram: () => string };
}

const STRAYS = {
  registers: 'has other registers',
  ram: 'has other contents of RAM',
  poweroff: 'is switched off',
  waiting: 'waits for what does not come',
} as const;
export type Stray = keyof typeof STRAYS;

function differ(a: Uint8Array, b: Uint8Array): boolean {
  const [p, q] = [a, b].map((x) => new Uint32Array(x.buffer, x.byteOffset, x.length / 4)) as [Uint32Array, Uint32Array];
  for (let n = 0; n < p.length; n++) if (p[n] !== q[n]) return true;
  return false;
}

/** A machine that follows a recorded run. */
export class FollowedRun {
  private readonly machine: Machine;
  private readonly observers: readonly Stateful[];
  private readonly run: RecordedRun;

  constructor(machine: Machine, observers: readonly Stateful[], run: RecordedRun) {
    this.machine = machine;
    this.observers = observers;
    this.run = run;
  }

  get end(): number {
    return this.run.end;
  }

  /** The first position that can be entered without running up to it. */
  get firstState(): number {
    return this.run.states[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** The last state before any guest was entered. */
  get lastWithoutGuests(): RecordedState | undefined {
    const { states } = this.run;
    let low = 0;
    for (let high = states.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (states[middle]!.hadGuests()) high = middle;
      else low = middle + 1;
    }
    return states[low - 1];
  }

  /** The last state at or before a position. */
  stateBefore(position: number): RecordedState | undefined {
    return this.run.states.findLast((s) => s.at <= position);
  }

  /** @param first the machine was not there before: then RAM is compared, too @throws Error when the machine is not as it was recorded */
  check({ digest, ram }: CheckEntry, first: boolean): void {
    const { digests } = this.run;
    if (digest !== undefined && digests.registers() !== digest) throw new Error(this.strays('registers'));
    if (first && ram !== undefined && digests.ram() !== ram) throw new Error(this.strays('ram'));
  }

  /** The message for a machine that does not repeat the run. @param how it differs */
  strays(how: Stray): string {
    return `the run is no longer the recorded one: the machine ${STRAYS[how]} at instruction ${this.machine.instructions}: use the program and the files that recorded it`;
  }

  /** The machine becomes as it was recorded. @throws Error when the state does not fit it: then nothing has changed */
  enter(state: RecordedState): void {
    const { machine, observers } = this;
    const { rest, observers: seen, pages } = state.content();
    if (
      !acceptsRest(machine, rest) ||
      !acceptsObservers(observers, seen) ||
      [...pages.keys()].some((n) => (n + 1) * PAGE > machine.ram.size)
    )
      throw new Error(`the recording's state at instruction ${state.at} does not fit the machine: record again`);
    this.putPages(pages);
    machine.restoreRest(rest);
    observers.forEach((part, n) => {
      restoreFields(part, seen[n]!);
    });
  }

  /** Changes RAM where it differs, as the stores of a run do: so the way from the last copy is kept. */
  private putPages(pages: StateContent['pages']): void {
    const { ram, uops } = this.machine;
    const changes = new Map<number, Uint8Array | undefined>(pages);
    for (const [n, now] of ram.touchedPages()) {
      const wanted = pages.get(n);
      if (wanted && !differ(now, wanted)) changes.delete(n);
      else if (!wanted && now.some((b) => b !== 0)) changes.set(n, undefined);
    }
    for (const [n, content] of changes) {
      const pa = ram.pageAddress(n);
      ram.touch(pa);
      uops.written(pa, PAGE);
      ram.putPage(n, content);
    }
  }
}
