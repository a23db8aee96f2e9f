/**
 * Does a CPU spin? It does, when its state comes back: registers, CSRs and what it stores. Interrupts in between are left out, as the
 * program that spins does not see them. This trace is for short rounds, and goes by single instructions. At first it compares registers,
 * which costs little; only when they come back, it looks at each access too.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { ecodeOf } from '../cpu/exception-table.ts';
import type { Comparators } from './breakpoints.ts';
import { RegisterState } from './register-state.ts';
import { type RoundSurroundings, RoundWatch } from './round-watch.ts';

/** Most instructions of a round, and of an interrupt between them. */
const LONGEST = 64;
const AWAY = 20_000;
const INT = ecodeOf('INT');

/** What a trace needs of the machine. */
export interface SpinSurroundings extends RoundSurroundings {
  readonly comparators: Comparators;
}

/** What a round of a spinning CPU does. */
export interface Spin {
  readonly world: number;
  readonly pc: bigint;
  /** Instructions of a round. */
  readonly length: number;
  /** Does it read memory, which another CPU or a device may change? */
  readonly reads: boolean;
  /** Does it read where a device writes what arrives from outside? */
  readonly awaits: boolean;
  /** The names of devices that it reads, and the CSRs. */
  readonly devices: readonly string[];
  readonly csrs: ReadonlySet<number>;
}

/** A trace of a CPU that may spin. */
export interface Trace {
  readonly cpu: Cpu;
  /** What it does; undefined: not known yet. */
  readonly result: Spin | 'no' | undefined;
  /** Must the machine go on by single instructions? Otherwise for no more than so many. */
  readonly steps: boolean;
  readonly rest: number;
  /** Call after each instruction or interrupt while it steps, otherwise now and then, between two instructions. @returns false when it is over */
  stepped(): boolean;
  close(): void;
}

/** What the rounds of a trace did, when the state of `pc` has come back. */
export function judge(watch: RoundWatch, at: { world: number; pc: bigint; length: number }): Spin | 'no' {
  if (watch.outputs || watch.timed || !watch.memoryIsBack) return 'no';
  const { reads, awaits, devices, csrs } = watch;
  return { ...at, reads, awaits, devices: [...devices], csrs: new Set(csrs) };
}

export class SpinTrace implements Trace {
  readonly cpu: Cpu;
  readonly steps = true;
  readonly rest = 1;
  private readonly around: SpinSurroundings;
  private readonly world: number;
  private readonly pc: bigint;
  private readonly state: RegisterState;
  private count = 0;
  /** Where the program goes on behind an interrupt, while it is interrupted, and for how many instructions it has been. */
  private away: bigint | undefined;
  private awayFor = 0;
  private events: number;
  /** The second part. */
  private watch: RoundWatch | undefined;
  result: Spin | 'no' | undefined;

  constructor(cpu: Cpu, around: SpinSurroundings) {
    this.cpu = cpu;
    this.around = around;
    this.world = cpu.world;
    this.pc = cpu.pc;
    this.state = new RegisterState(cpu);
    this.events = cpu.events.total;
  }

  stepped(): boolean {
    this.follow();
    if (this.result === undefined) return true;
    this.close();
    return false;
  }

  close(): void {
    this.watch?.close();
    this.watch = undefined;
  }

  private follow(): void {
    const { cpu } = this;
    const fresh = cpu.events.total - this.events;
    this.events = cpu.events.total;
    if (this.away === undefined && fresh > 0) {
      const r = cpu.events.at(fresh - 1);
      if (r?.ecode !== INT || r.world !== this.world || r.kind === 'entry') this.result = 'no';
      else this.away = r.pc;
    }
    if (this.away !== undefined) {
      if (cpu.world !== this.world || cpu.pc !== this.away) {
        if (++this.awayFor > AWAY) this.result = 'no';
        return;
      }
      this.away = undefined;
    }
    this.count++;
    if (cpu.pc === this.pc && this.state.isBack) this.round();
    else if (this.count > LONGEST || cpu.idle) this.result = 'no';
  }

  /** The state has come back. */
  private round(): void {
    const { cpu, world, pc, count: length } = this;
    if (this.watch) {
      this.result = judge(this.watch, { world, pc, length });
      return;
    }
    this.count = 0;
    this.watch = new RoundWatch(cpu, this.around, () => this.away === undefined);
  }
}
