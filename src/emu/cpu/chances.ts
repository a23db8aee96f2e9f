/**
 * What hardware leaves open, and timing decides: each kind of it is a dial of `--explore` (docs/explore.md). A machine that is not
 * perturbed has none of it.
 */
export const DIALS = ['quantum', 'irq', 'timer', 'ipi', 'device', 'tlb', 'sc', 'order', 'age', 'store'] as const;
export type Dial = (typeof DIALS)[number];

/** Decides what the machine asks for. The answer depends on the question alone, so a run that is repeated gets the same answers. */
export interface Chances {
  /**
   * @param cpu number of the CPU that it is about @param icount instructions that this CPU has executed
   * @returns 0: as in a run that is not perturbed; else how far from it, in the unit of the dial
   */
  choose(dial: Dial, cpu: number, icount: number): number;
}
