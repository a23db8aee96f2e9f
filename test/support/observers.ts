/** An observer of all events, like a debugger with every catch set. With it, the CPU takes its slow paths. */

import type { Cpu, CpuObserver } from '../../src/emu/cpu/cpu.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';

/** How often each member of an observer was called. */
export type Told = Record<keyof CpuObserver, number>;

const none = (): Told => ({
  exception: 0,
  exited: 0,
  beforeExit: 0,
  entered: 0,
  csrWrite: 0,
  csrRead: 0,
  tlbChanged: 0,
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
export function countEverything(cpu: Cpu): Told {
  const told = none();
  cpu.observe({
    exception: () => void told.exception++,
    exited: () => void told.exited++,
    beforeExit: () => void told.beforeExit++,
    entered: () => void told.entered++,
    csrWrite: () => {
      told.csrWrite++;
      return false;
    },
    csrRead: () => void told.csrRead++,
    tlbChanged: () => void told.tlbChanged++,
    nested: () => void told.nested++,
  });
  return told;
}

/** Called for each new machine of a test. */
export function watchIfAsked(machine: Machine): void {
  if (watching) for (const cpu of machine.cpus) countEverything(cpu);
}
