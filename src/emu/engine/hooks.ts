import type { Cpu } from '../cpu/cpu.ts';

/** What run control (src/emu/debug) asks of the engine. A member that is absent costs nothing. */
export interface EngineHooks {
  /**
   * Positions (0..1023) of breakpoints in the virtual page of an address, in the running world. `pa`: the physical
   * page of that address.
   */
  breakpoints?(cpu: Cpu, vaLo: number, vaHi: number, pa: number): ReadonlySet<number> | undefined;
  /** The CPU has reached a breakpoint, and has not executed the instruction. False ignores the breakpoint this time. */
  breakpointHit?(cpu: Cpu, pa: number): boolean;
  /**
   * Is something in the page watched? Then accesses are checked at the places that `watchedOffsets` gives. `pa`: the
   * physical page.
   */
  watchesPage?(cpu: Cpu, vaLo: number, vaHi: number, pa: number): boolean;
  /** One bit for each 8 bytes of a page: are they watched, in any page? */
  readonly watchedOffsets?: Uint8Array;
  /** Must every access be checked? */
  watchesAll?(cpu: Cpu): boolean;
  /** Must the access stop the CPU before it happens? The value of a plain store is in STATE.value. */
  watch?(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean, plain: boolean): boolean;
  /** The same question for the physical address, when it is known. */
  watchPhysical?(cpu: Cpu, pa: number, size: number, write: boolean, plain: boolean): boolean;
  /** A store that takes the slow path is about to change RAM. */
  stored?(cpu: Cpu, pa: number, size: number): void;
  /** Must every store of this CPU to a physical page take the slow path, so that `stored` is told? Asked before the translation is cached. */
  recordsStores?(cpu: Cpu, page: number): boolean;
}
