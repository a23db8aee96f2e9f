/**
 * What a run has tried: which interrupt, or which CPU that was held back, how soon after which world switch or exception. Seeds of a
 * style that has tried something new lately are tried more.
 */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import { EXCEPTIONS } from '../../emu/cpu/exception-table.ts';
import { hostPending } from '../../emu/cpu/interrupts.ts';
import type { Machine } from '../../emu/machine/machine.ts';
import type { Taken } from '../../emu/perturb/perturbation.ts';
import { STYLES, type Style, styleOf } from '../../emu/perturb/seeded.ts';

const INT = 0;
/** Instructions after a switch that are told apart, as powers of two. */
const FARTHEST = 12;

/** The pairs of a run, as texts. */
export class Pairs {
  readonly seen = new Set<string>();
  private readonly points: { what: string; at: number }[];

  constructor(machine: Machine) {
    this.points = machine.cpus.map(() => ({ what: 'start', at: 0 }));
    const names = new Map<number, string>(EXCEPTIONS.map((e) => [e.ecode, e.name]));
    for (const cpu of machine.cpus)
      cpu.observe({
        entered: (c) => this.switched(c, 'entry'),
        exception: (c) => {
          const { lastEcode, lastIsExit } = c.events;
          if (lastEcode === INT) this.add(c, c.position, `INT ${31 - Math.clz32(hostPending(c))}`);
          this.switched(c, `${lastIsExit ? 'exit' : 'exception'} ${names.get(lastEcode)}`);
        },
      });
  }

  private switched(cpu: Cpu, what: string): void {
    const point = this.points[cpu.index]!;
    point.what = what;
    point.at = cpu.position;
  }

  private add(cpu: { readonly index: number }, icount: number, what: string): void {
    const point = this.points[cpu.index]!;
    const distance = Math.min(FARTHEST, Math.ceil(Math.log2(Math.max(1, icount - point.at))));
    this.seen.add(`${point.what} +2^${distance} ${what}`);
  }

  /** A CPU has been held back. */
  decided({ dial, cpu, icount }: Taken): void {
    if (dial === 'quantum') this.add({ index: cpu }, icount, 'held');
  }
}

/** Chooses the next seeds. */
export class Steering {
  private readonly known = new Set<string>();
  private readonly weights = new Map<Style, number>(STYLES.map((s) => [s, 1]));
  private readonly next = new Map<Style, number>();
  private readonly first: number;
  private turn = 0;

  /** @param first the first seed */
  constructor(first: number) {
    this.first = first;
  }

  get pairs(): number {
    return this.known.size;
  }

  /** The next seed: of the style that is the most worth it, but each style has its turn. */
  seed(): number {
    const { turn, weights } = this;
    this.turn++;
    let style = STYLES[turn % STYLES.length]!;
    if (turn % 2 === 1) for (const [s, weight] of weights) if (weight > weights.get(style)!) style = s;
    let seed = this.next.get(style) ?? this.first;
    while (styleOf(seed) !== style) seed++;
    this.next.set(style, seed + 1);
    return seed;
  }

  /** What the run of a seed has tried. @param failed it was the first of its class */
  ran(seed: number, pairs: readonly string[], failed: boolean): void {
    const fresh = pairs.filter((p) => !this.known.has(p));
    for (const p of fresh) this.known.add(p);
    const style = styleOf(seed);
    this.weights.set(style, this.weights.get(style)! / 2 + fresh.length + (failed ? 10 : 0));
  }
}
