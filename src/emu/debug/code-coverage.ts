/** Which instructions have been executed, by their physical addresses. */
import type { Machine } from '../machine/machine.ts';

/** Bytes of a page, and words of 32 bits that have a bit for each of its instructions. */
const PAGE = 4096;
const WORDS = PAGE / 4 / 32;

export class CodeCoverage {
  private readonly pages = new Map<number, Uint32Array>();
  /** Instructions so far. */
  size = 0;

  /** Notes what is covered by the host of a machine that has not run yet. */
  watch(machine: Machine): void {
    machine.uops.covered = (pa, words, guest) => {
      if (!guest) for (let n = 0; n < words; n++) this.add(pa + 4 * n);
    };
  }

  /** @returns is it new? */
  add(pa: number): boolean {
    const base = pa - (pa % PAGE);
    let page = this.pages.get(base);
    if (!page) this.pages.set(base, (page = new Uint32Array(WORDS)));
    const at = (pa - base) >> 2;
    const bit = 1 << (at & 31);
    if (page[at >> 5]! & bit) return false;
    page[at >> 5]! |= bit;
    this.size++;
    return true;
  }

  has(pa: number): boolean {
    const at = (pa % PAGE) >> 2;
    return ((this.pages.get(pa - (pa % PAGE))?.[at >> 5] ?? 0) & (1 << (at & 31))) !== 0;
  }

  /** The addresses, in runs: beginning and number of instructions, in turn. */
  runs(): number[] {
    const out: number[] = [];
    for (const base of [...this.pages.keys()].sort((a, b) => a - b))
      for (let pa = base; pa < base + PAGE; pa += 4) {
        if (!this.has(pa)) continue;
        if (out.length > 0 && out.at(-2)! + 4 * out.at(-1)! === pa) out[out.length - 1]!++;
        else out.push(pa, 1);
      }
    return out;
  }

  /** Adds the runs of another one. @returns how many instructions are new */
  merge(runs: readonly number[]): number {
    const before = this.size;
    for (let n = 0; n < runs.length; n += 2) for (let k = 0; k < runs[n + 1]!; k++) this.add(runs[n]! + 4 * k);
    return this.size - before;
  }
}
