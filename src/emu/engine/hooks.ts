import type { Cpu } from '../cpu/cpu.ts';

/** What run control (src/emu/debug) asks of the engine. Absent members cost nothing. */
export interface EngineHooks {
  /** Breakpoints in the virtual page of an address, in the running world: positions 0..1023. `pa`: the page it leads to. */
  breakpoints?(cpu: Cpu, vaLo: number, vaHi: number, pa: number): ReadonlySet<number> | undefined;
  /** The CPU has reached a breakpoint; the instruction has not been executed. False lets it pass, this time. */
  breakpointHit?(cpu: Cpu, pa: number): boolean;
  /** True when something in the page is watched: accesses are looked at where `watchedOffsets` say. `pa`: the physical page. */
  watchesPage?(cpu: Cpu, vaLo: number, vaHi: number, pa: number): boolean;
  /** A bit for each 8 bytes of a page: they are watched, in some page. */
  readonly watchedOffsets?: Uint8Array;
  /** True when every access must be looked at. */
  watchesAll?(cpu: Cpu): boolean;
  /** True when the access must stop the CPU before it happens. A plain store has its value in STATE.value. */
  watch?(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean, plain: boolean): boolean;
  /** The same question about the physical address, once it is known. */
  watchPhysical?(cpu: Cpu, pa: number, size: number, write: boolean, plain: boolean): boolean;
  /** A store is about to change RAM. While this is here, no store bypasses it. */
  stored?(cpu: Cpu, pa: number, size: number): void;
}
