/** Decisions that make a run another one than the run that is not perturbed. */
import type { Chances, Dial } from '../cpu/chances.ts';

/** Dials that act at a place of their own, not where the machine asks: a CPU is held back, or its stores wait from there on. */
export type PlannedDial = 'quantum' | 'store';

/** What such a dial does to a CPU. */
export interface Planned {
  /** Instructions of the CPU before it. */
  readonly icount: number;
  /** As in {@link Decision}. */
  readonly value: number;
}

/** One decision that was taken. With the other decisions and the machine it makes the run, without a seed. */
export interface Decision {
  readonly dial: Dial;
  readonly cpu: number;
  /** Instructions of this CPU before it. */
  readonly icount: number;
  /** Greater than 0. `quantum`, `timer`, `ipi`, `device`: ticks; `irq`: instructions; `tlb`: which entry; `sc`: 1; `order`: ticks; `age`: instructions; `store`: store-wait.ts. */
  readonly value: number;
}

/** Where decisions come from. */
export interface Chooser extends Chances {
  /** What a dial does first to a CPU at or after an instruction; undefined: nothing is known there. */
  next(dial: PlannedDial, cpu: number, from: number): Planned | undefined;
  /** Something has happened that is worth a stall soon after it: the instruction of that stall, or undefined. */
  afterEvent(cpu: number, icount: number): number | undefined;
  /** The length of a stall that {@link afterEvent} has asked for, in ticks. */
  lengthAt(cpu: number, icount: number): number;
}

/** Decisions from a list: those of a recording, or some of them. */
export class ListedChooser implements Chooser {
  private readonly values = new Map<string, number>();
  private readonly planned = new Map<string, Planned[]>();

  constructor(decisions: readonly Decision[]) {
    for (const { dial, cpu, icount, value } of decisions)
      if (dial === 'quantum' || dial === 'store') this.plannedFor(dial, cpu).push({ icount, value });
      else this.values.set(keyOf(dial, cpu, icount), value);
    for (const list of this.planned.values()) list.sort((a, b) => a.icount - b.icount);
  }

  private plannedFor(dial: PlannedDial, cpu: number): Planned[] {
    const key = `${dial} ${cpu}`;
    const list = this.planned.get(key) ?? [];
    this.planned.set(key, list);
    return list;
  }

  choose(dial: Dial, cpu: number, icount: number): number {
    return this.values.get(keyOf(dial, cpu, icount)) ?? 0;
  }

  next(dial: PlannedDial, cpu: number, from: number): Planned | undefined {
    const list = this.plannedFor(dial, cpu);
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
