/** Decisions that make a run another one than the run that is not perturbed. */
import type { Chances, Dial } from '../cpu/chances.ts';

/** A CPU is held back: its clock goes on, and it executes nothing. */
export interface Stall {
  /** Instructions of the CPU before it. */
  readonly icount: number;
  /** In ticks of the stable counter. */
  readonly length: number;
}

/** One decision that was taken. With the other decisions and the machine it makes the run, without a seed. */
export interface Decision {
  readonly dial: Dial;
  readonly cpu: number;
  /** Instructions of this CPU before it. */
  readonly icount: number;
  /** Greater than 0. `quantum`, `timer`, `ipi`, `device`: ticks; `irq`: instructions; `tlb`: which entry; `sc`: 1; `order`: ticks; `age`: instructions. */
  readonly value: number;
}

/** Where decisions come from. */
export interface Chooser extends Chances {
  /** The first stall of a CPU at or after an instruction; undefined: none is known there. */
  nextStall(cpu: number, from: number): Stall | undefined;
  /** Something has happened that is worth a stall soon after it: the instruction of that stall, or undefined. */
  afterEvent(cpu: number, icount: number): number | undefined;
  /** The length of a stall that {@link afterEvent} has asked for, in ticks. */
  lengthAt(cpu: number, icount: number): number;
}

/** Decisions from a list: those of a recording, or some of them. */
export class ListedChooser implements Chooser {
  private readonly values = new Map<string, number>();
  private readonly stalls = new Map<number, Stall[]>();

  constructor(decisions: readonly Decision[]) {
    for (const { dial, cpu, icount, value } of decisions)
      if (dial === 'quantum') this.stallsOf(cpu).push({ icount, length: value });
      else this.values.set(keyOf(dial, cpu, icount), value);
    for (const list of this.stalls.values()) list.sort((a, b) => a.icount - b.icount);
  }

  private stallsOf(cpu: number): Stall[] {
    const list = this.stalls.get(cpu) ?? [];
    this.stalls.set(cpu, list);
    return list;
  }

  choose(dial: Dial, cpu: number, icount: number): number {
    return this.values.get(keyOf(dial, cpu, icount)) ?? 0;
  }

  nextStall(cpu: number, from: number): Stall | undefined {
    const list = this.stalls.get(cpu) ?? [];
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle]!.icount < from) low = middle + 1;
      else high = middle;
    }
    return list[low];
  }

  afterEvent(): undefined {
    return undefined;
  }

  lengthAt(): number {
    return 0;
  }
}

export const keyOf = (dial: Dial, cpu: number, icount: number): string => `${dial} ${cpu} ${icount}`;
