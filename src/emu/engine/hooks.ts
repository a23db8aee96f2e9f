import type { Cpu } from '../cpu/cpu.ts';

/** What run control (src/emu/debug) asks of the engine. Absent members cost nothing. */
export interface EngineHooks {
  /** Breakpoints in the virtual page of an address, in the running world: positions 0..1023. */
  breakpoints?(cpu: Cpu, vaLo: number, vaHi: number): ReadonlySet<number> | undefined;
  /** The CPU has reached a breakpoint; the instruction has not been executed. */
  breakpointHit?(cpu: Cpu): void;
  /** True when accesses to the page must be looked at one by one. */
  watchesPage?(cpu: Cpu, vaLo: number, vaHi: number): boolean;
  /** True when the access must stop the CPU before it happens. */
  watch?(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean): boolean;
}
