/** Questions to the past: which instruction did something last, and how often it was done. The machine comes back to where it was. */
import type { Cpu } from '../cpu/cpu.ts';
import type { Steps } from '../runtime/steps.ts';
import type { Breakpoint, Watchpoint } from './breakpoints.ts';
import type { RunControl } from './run-control.ts';

/** Instructions that are asked for: those that meet a comparator. */
export type Wanted =
  | { readonly kind: 'watch'; readonly watch: Omit<Watchpoint, 'owner'> }
  | { readonly kind: 'breakpoint'; readonly breakpoint: Omit<Breakpoint, 'owner'> };

/** An instruction of the past. */
export interface Found {
  /** Instructions of the machine before it. */
  readonly at: number;
  readonly cpu: Cpu;
}

/** Does work with one comparator in the place of all others. Nothing stops at it: a replay reports it. */
function* alone<T>(control: RunControl, wanted: Wanted, work: Steps<T>): Steps<T> {
  const { comparators } = control;
  const putBack = comparators.setAside();
  try {
    if (wanted.kind === 'watch') comparators.insertWatch({ ...wanted.watch, owner: wanted });
    else comparators.insert({ ...wanted.breakpoint, owner: wanted });
    return yield* work;
  } finally {
    putBack();
  }
}

/** The last instruction before a position that was wanted; undefined when what is kept has none. The machine is somewhere afterwards. */
export function findingLast(control: RunControl, wanted: Wanted, before: number): Steps<Found | undefined> {
  function* work(): Steps<Found | undefined> {
    let found: Found | undefined;
    for (let end: number | undefined = before; end !== undefined && !found; ) {
      const last: number = end;
      end = yield* control.replayer.searchingStretch(last, (at, stop) => {
        if (stop.kind === wanted.kind && at < last) found = { at, cpu: stop.cpu };
      });
    }
    return found;
  }
  return alone(control, wanted, work());
}

/** How many instructions from one position to another were wanted. The machine is at the second one afterwards. */
export function counting(control: RunControl, wanted: Wanted, first: number, last: number): Steps<number> {
  function* work(): Steps<number> {
    let count = 0;
    yield* control.replayer.scanning(first, last, (at, stop) => {
      if (stop.kind === wanted.kind && at < last) count++;
    });
    return count;
  }
  return alone(control, wanted, work());
}

/** Most instructions that are looked at one by one, and how many at a time. */
const MOST_LOOKED_AT = 4_000_000;
const FIRST_LOOK = 4000;

/**
 * The last instruction of a CPU before a position that has changed what `value` gives; undefined when the instructions that can be
 * looked at have not. The machine is somewhere afterwards.
 */
export function* findingChange(
  control: RunControl,
  cpu: Cpu,
  value: () => bigint | undefined,
  before: number,
): Steps<Found | undefined> {
  for (
    let length = FIRST_LOOK, end = before;
    end > control.history.beginning && before - end < MOST_LOOKED_AT;
    length *= 4
  ) {
    const first = Math.max(control.history.beginning, end - length);
    let found: Found | undefined;
    let earlier: { at: number; value: bigint | undefined } | undefined;
    const settle = (): void => {
      if (!earlier) return;
      const now = value();
      if (now !== undefined && earlier.value !== undefined && now !== earlier.value) found = { at: earlier.at, cpu };
    };
    yield* control.replayer.replayingEach(cpu, first, end, (c) => {
      settle();
      earlier = c === cpu ? { at: control.history.position, value: value() } : undefined;
    });
    settle();
    if (found) return found;
    end = first;
  }
  return undefined;
}
