/**
 * Decisions that follow from a seed. Each is a function of the seed and of the place in the run, so going back in time needs no more
 * state. The first thing that a seed decides is its style: how often, and how long.
 */
import { DIALS, type Dial } from '../cpu/chances.ts';
import type { Chooser, Planned, PlannedDial } from './decisions.ts';
import { MOST_WAIT, packWait } from './store-wait.ts';

/** Which dials are on. */
export type Dials = Readonly<Record<Dial, boolean>>;

export const ALL_DIALS: Dials = Object.fromEntries(DIALS.map((d) => [d, true])) as Record<Dial, boolean>;

/** How a seed perturbs. */
export interface Style {
  readonly name: string;
  /** Each CPU is held back once in so many of its instructions. */
  readonly window: number;
  /** Of 1024 exceptions, guest entries and exits, so many have a stall in the instructions after them. */
  readonly near: number;
  /** Of 16 stalls, how many are short and how many take as long as some turns; the others starve the CPU. */
  readonly short: number;
  readonly medium: number;
  /** Of 1024 questions of the other dials, so many are answered with something unusual. */
  readonly rate: number;
}

/** From the gentle to the rough. A bug that needs one long delay is found by the first ones, one that needs a crowd by the last ones. */
export const STYLES: readonly Style[] = [
  { name: 'starvation', window: 400_000, near: 8, short: 1, medium: 3, rate: 32 },
  { name: 'at switches', window: 1_000_000, near: 128, short: 5, medium: 8, rate: 32 },
  { name: 'late interrupts', window: 1_000_000, near: 4, short: 8, medium: 6, rate: 512 },
  { name: 'short turns', window: 8_000, near: 16, short: 10, medium: 5, rate: 64 },
  { name: 'crowd', window: 1_500, near: 64, short: 11, medium: 4, rate: 128 },
];

/** Longest stalls of the three kinds, in ticks. Where they are frequent they are shorter, so that a run takes some times as long, and not more. */
const SHORT = 300;
const MEDIUM = { most: 30_000, windows: 8 };
const LONG = { most: 1_000_000, windows: 40 };
/** Of 64 stalls after an event, one is long, and some are of medium length. */
const NEAR_MEDIUM = 16;
const NEAR_LONGEST = 200_000;
/** A stall after an event comes within so many instructions. */
const NEAR = 160;
/** Largest answer of each dial, in its unit. These are bounds that hardware keeps (docs/explore.md). */
const MOST: Readonly<Record<Exclude<Dial, PlannedDial>, number>> = {
  irq: 64,
  timer: 20_000,
  ipi: 100_000,
  device: 100_000,
  tlb: 2 ** 16,
  sc: 1,
  order: 100_000,
  age: 1_000_000,
};

/** Where stores wait, they do so once in so many instructions; in the runs of one seed of three they do. */
const STORE_WINDOWS = [2_000, 10_000, 80_000];
/** Stores of so many instructions wait at most. */
const MOST_INSTRUCTIONS = 32;
/** Of 8 times, so many are long. */
const LONG_WAITS = 2;

/** A number of 32 bits that depends on all of its arguments (the finalizer of MurmurHash3, by words). */
function mix(seed: number, salt: number, cpu: number, place: number): number {
  let h = (seed ^ 0x9e3779b9) | 0;
  for (const word of [salt, cpu, place | 0, Math.floor(place / 0x100000000)]) {
    h = Math.imul(h ^ word, 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h, 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}

/** That of `stores` leaves the first seeds of each style as they are without the dial: they are hunted first. */
const SALT = {
  ...{ style: 100, place: 101, kind: 102, length: 103, event: 104, size: 105 },
  ...{ storePlace: 106, wait: 107, stores: 194 },
} as const;

/** The style of a seed. */
export const styleOf = (seed: number): Style => STYLES[mix(seed, SALT.style, 0, 0) % STYLES.length]!;

export class SeededChooser implements Chooser {
  private readonly seed: number;
  private readonly dials: Dials;
  private readonly style: Style;
  /** Stores wait once in so many instructions of a CPU; undefined: none do. */
  private readonly storeWindow: number | undefined;

  constructor(seed: number, dials: Dials) {
    this.seed = seed;
    this.dials = dials;
    this.style = styleOf(seed);
    const h = mix(seed, SALT.stores, 0, 0);
    this.storeWindow = h % 3 === 0 ? STORE_WINDOWS[Math.floor(h / 3) % STORE_WINDOWS.length] : undefined;
  }

  choose(dial: Exclude<Dial, PlannedDial>, cpu: number, icount: number): number {
    if (!this.dials[dial]) return 0;
    const h = mix(this.seed, DIALS.indexOf(dial), cpu, icount);
    if (h % 1024 >= this.style.rate) return 0;
    // Small answers are as likely as large ones.
    const most = Math.max(1, MOST[dial] >>> ((h >>> 10) % 10));
    return 1 + (mix(this.seed, SALT.size, cpu, icount) % most);
  }

  next(dial: PlannedDial, cpu: number, from: number): Planned | undefined {
    const window = dial === 'store' ? this.storeWindow : this.style.window;
    if (!this.dials[dial] || window === undefined) return undefined;
    const salt = dial === 'store' ? SALT.storePlace : SALT.place;
    for (let n = Math.floor(from / window); ; n++) {
      const icount = n * window + (mix(this.seed, salt, cpu, n) % window);
      if (icount >= from)
        return { icount, value: dial === 'store' ? this.wait(cpu, icount) : this.length(cpu, icount) };
    }
  }

  /** How the stores after an instruction wait. */
  private wait(cpu: number, icount: number): number {
    const h = mix(this.seed, SALT.wait, cpu, icount);
    const ticks = h % 8 < LONG_WAITS ? Math.min(MOST_WAIT.ticks, 2 * this.storeWindow!) : SHORT;
    return packWait({
      instructions: 2 + ((h >>> 3) % (MOST_INSTRUCTIONS - 1)),
      // Half of them keep their order, as on a computer that is stronger than this architecture.
      early: (h >>> 8) & 1 ? (h >>> 9) & MOST_WAIT.early : 0,
      ticks: this.within(ticks, cpu, icount),
    });
  }

  afterEvent(cpu: number, icount: number): number | undefined {
    if (!this.dials.quantum) return undefined;
    const h = mix(this.seed, SALT.event, cpu, icount);
    return h % 1024 < this.style.near ? icount + ((h >>> 10) % NEAR) : undefined;
  }

  lengthAt(cpu: number, icount: number): number {
    const kind = mix(this.seed, SALT.kind, cpu, icount) % 64;
    const most = kind === 0 ? NEAR_LONGEST : kind < NEAR_MEDIUM ? MEDIUM.most : SHORT;
    return this.within(most, cpu, icount);
  }

  /** The length of a stall that is due by itself. */
  private length(cpu: number, icount: number): number {
    const { short, medium, window } = this.style;
    const kind = mix(this.seed, SALT.kind, cpu, icount) % 16;
    if (kind < short) return this.within(SHORT, cpu, icount);
    const { most, windows } = kind < short + medium ? MEDIUM : LONG;
    return this.within(Math.min(most, windows * window), cpu, icount);
  }

  private within(most: number, cpu: number, icount: number): number {
    return 1 + (mix(this.seed, SALT.length, cpu, icount) % most);
  }
}
