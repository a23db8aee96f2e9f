/** An observer of all events, like a debugger with every catch set. With it, the CPU takes its slow paths. */

import type { Cpu } from '../../src/emu/cpu/cpu.ts';
import type { CpuObserver } from '../../src/emu/cpu/observer.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';

/** How often each member of an observer was called. */
export type Counts = Record<keyof CpuObserver<Cpu>, number>;

const none = (): Counts => ({
  exception: 0,
  exited: 0,
  beforeExit: 0,
  entered: 0,
  csrWrite: 0,
  csrRead: 0,
  timeRead: 0,
  iocsrAccess: 0,
  unwrittenRead: 0,
  tlbChanged: 0,
  stage2Filled: 0,
  undefinedMode: 0,
  nested: 0,
});

let watching = false;

/** Are the machines of this test file observed? */
export const watched = (): boolean => watching;

/** From here on, every new machine of this test file is observed. */
export function watchEverything(): void {
  watching = true;
}

/** Adds an observer of everything to a CPU. @returns its counters, which go on counting */
export function countEverything(cpu: Cpu): Counts {
  const counts = none();
  cpu.observe({
    exception: () => void counts.exception++,
    exited: () => void counts.exited++,
    beforeExit: () => void counts.beforeExit++,
    entered: () => void counts.entered++,
    csrWrite: () => {
      counts.csrWrite++;
      return false;
    },
    csrRead: () => void counts.csrRead++,
    timeRead: () => void counts.timeRead++,
    iocsrAccess: () => void counts.iocsrAccess++,
    unwrittenRead: () => void counts.unwrittenRead++,
    tlbChanged: () => void counts.tlbChanged++,
    stage2Filled: () => void counts.stage2Filled++,
    nested: () => void counts.nested++,
  });
  return counts;
}

/** Called for each new machine of a test. */
export function watchIfAsked(machine: Machine): void {
  if (watching) for (const cpu of machine.cpus) countEverything(cpu);
}
