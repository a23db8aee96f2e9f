/**
 * Carries out decisions in a machine: CPUs that are held back, interrupts that are on their way. It is asked where the machine leaves
 * generated code anyway; a machine that is not perturbed asks once a turn.
 */
import type { Chances, Dial } from '../cpu/chances.ts';
import { type Cpu, LINE } from '../cpu/cpu.ts';
import { setLine } from '../cpu/interrupts.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import { type Chooser, type Decision, keyOf, type Planned } from './decisions.ts';
import { type StoreBufferPorts, StoreBuffers } from './store-buffers.ts';

/** Interrupt lines of a CPU, by their bits of ESTAT.IS. */
const LINES = 32;
const NEVER = Number.POSITIVE_INFINITY;

/** A decision, and where it was taken: the number of instructions of the machine. */
export type Taken = Decision & { readonly position: number };

/** What a perturbation does to the machine. */
export interface PerturbationPorts extends StoreBufferPorts {
  /** Ends the turn of a CPU after the current instruction. */
  readonly cut: (cpu: number) => void;
  /** Stage-2 entries of a CPU vanish that are at least so many instructions old. */
  readonly loseStage2: (cpu: Cpu, age: number) => void;
  /** May the stores of a CPU wait while it executes its next instruction? */
  readonly mayWait: (cpu: Cpu) => boolean;
}

export class Perturbation implements Stateful, Chances {
  readonly stateFields = ['stalled', 'soon', 'arrivals', 'underway'];
  static readonly wiring: Wiring = {
    chooser: 'given for the run',
    latest: 'what observers were told',
    events: 'within a turn',
    seen: 'what observers were told',
    listeners: 'observers',
    cut: 'the machine',
    loseStage2: 'the machine',
    mayWait: 'the machine',
  };
  /** The instruction of each CPU's last stall, −1 before the first. */
  readonly stalled: Float64Array;
  /** The instruction of each CPU where a stall comes soon. */
  private readonly soon: Float64Array;
  /** The tick at which a line of a CPU rises. */
  private readonly arrivals: Float64Array;
  /** Stores that wait. */
  readonly stores: StoreBuffers;
  /** Exceptions and world switches of the CPU before the instruction whose stores are recorded. */
  private events = 0;
  /** Lines that will rise. */
  private underway = 0;
  private chooser: Chooser | undefined;
  private readonly cpus: readonly Cpu[];
  /** The latest position of a decision, and the decisions there: what is repeated is not told again. */
  private latest = -1;
  private readonly seen = new Set<string>();
  private readonly listeners: ((decision: Taken) => void)[] = [];
  private readonly cut: PerturbationPorts['cut'];
  private readonly loseStage2: PerturbationPorts['loseStage2'];
  private readonly mayWait: PerturbationPorts['mayWait'];

  constructor(cpus: readonly Cpu[], ports: PerturbationPorts) {
    this.cpus = cpus;
    this.cut = ports.cut;
    this.loseStage2 = ports.loseStage2;
    this.mayWait = ports.mayWait;
    this.stores = new StoreBuffers(cpus.length, ports);
    this.stalled = new Float64Array(cpus.length).fill(-1);
    this.soon = new Float64Array(cpus.length).fill(NEVER);
    this.arrivals = new Float64Array(LINES * cpus.length).fill(NEVER);
  }

  /** From now on decisions come from here. To be called once. */
  begin(chooser: Chooser): void {
    this.chooser = chooser;
    for (const cpu of this.cpus) {
      cpu.chances = this;
      const late = (): number => this.choose('timer', cpu.index, cpu.position);
      cpu.hostTimer.lateness = late;
      cpu.guestTimer.lateness = late;
      const event = (c: Cpu): void => this.event(c);
      const entered = (c: Cpu): void => {
        const age = this.choose('age', c.index, c.position);
        if (age > 0) this.loseStage2(c, age);
        this.event(c);
      };
      cpu.observe({ exception: event, entered });
    }
  }

  /** @param listener called for each decision once */
  listen(listener: (decision: Taken) => void): void {
    this.listeners.push(listener);
  }

  /** Is there anything to do beside running? */
  get active(): boolean {
    return this.chooser !== undefined || this.underway > 0 || this.stores.busy;
  }

  /** The machine has been reset. */
  reset(): void {
    this.soon.fill(NEVER);
    this.arrivals.fill(NEVER);
    this.underway = 0;
    this.stores.reset();
  }

  choose(dial: Dial, cpu: number, icount: number): number {
    const value = this.chooser?.choose(dial, cpu, icount) ?? 0;
    if (value > 0) this.note({ dial, cpu, icount, value });
    return value;
  }

  private note(decision: Decision): void {
    if (this.listeners.length === 0) return;
    const position = this.cpus.reduce((sum, c) => sum + c.position, 0);
    if (position < this.latest) return;
    if (position > this.latest) this.seen.clear();
    this.latest = position;
    const key = keyOf(decision.dial, decision.cpu, decision.icount);
    if (this.seen.has(key)) return;
    this.seen.add(key);
    for (const listener of this.listeners) listener({ ...decision, position });
  }

  private event(cpu: Cpu): void {
    const at = this.chooser?.afterEvent(cpu.index, cpu.position);
    if (at === undefined || at >= this.soon[cpu.index]!) return;
    this.soon[cpu.index] = at;
    this.cut(cpu.index);
  }

  /** Must the CPU be held back before its next instruction? */
  stallsNow(n: number): boolean {
    return this.instructionsToStall(n) === 0;
  }

  private instructionsToStall(n: number): number {
    const { chooser } = this;
    if (!chooser) return NEVER;
    const { icount } = this.cpus[n]!;
    const from = this.stalled[n] === icount ? icount + 1 : icount;
    const soon = this.soon[n]! < from ? NEVER : this.soon[n]!;
    return Math.min(soon, chooser.next('quantum', n, from)?.icount ?? NEVER) - icount;
  }

  /** Where stores of the CPU wait first, at or after its next instruction but `later`. There must be others that see it. */
  private nextWait(n: number, later: number): Planned | undefined {
    return this.cpus.length === 1 ? undefined : this.chooser?.next('store', n, this.cpus[n]!.icount + later);
  }

  /** The decision by which stores of the CPU wait from its next instruction on. */
  private waitHere(n: number): Planned | undefined {
    const wait = this.nextWait(n, 0);
    return wait?.icount === this.cpus[n]!.icount ? wait : undefined;
  }

  /** Instructions of the CPU that need not be executed one at a time. */
  private instructionsToWait(n: number): number {
    if (this.stores.records(n)) return 1;
    if (this.waitHere(n) && this.mayWait(this.cpus[n]!)) return 1;
    return (this.nextWait(n, 1)?.icount ?? NEVER) - this.cpus[n]!.icount;
  }

  /**
   * The CPU is about to go on at a tick. Lines rise whose time has come.
   * @returns for how many ticks it is held back first
   */
  before(n: number, now: number): number {
    if (this.underway > 0) this.deliver(n, now);
    if (!this.stallsNow(n)) return 0;
    const { icount } = this.cpus[n]!;
    this.stalled[n] = icount;
    const listed = this.chooser!.next('quantum', n, icount);
    const value = listed?.icount === icount ? listed.value : this.chooser!.lengthAt(n, icount);
    if (this.soon[n]! <= icount) this.soon[n] = NEVER;
    this.note({ dial: 'quantum', cpu: n, icount, value });
    return value;
  }

  /** Instructions that the CPU may execute until there is something to do again. */
  room(n: number, now: number): number {
    let room = Math.min(this.instructionsToStall(n), this.instructionsToWait(n));
    if (this.underway > 0)
      for (let bit = 0; bit < LINES; bit++) room = Math.min(room, this.arrivals[LINES * n + bit]! - now);
    return Math.max(1, room);
  }

  /** The CPU is about to execute instructions in its turn: as many as there is room for. @returns whether its stores are recorded */
  enter(n: number): boolean {
    const { stores } = this;
    const cpu = this.cpus[n]!;
    stores.enter(n, cpu.icount);
    const wait = stores.records(n) ? undefined : this.waitHere(n);
    if (wait && this.mayWait(cpu)) {
      stores.open(n, cpu.icount, wait.value);
      // While there is a recorder, it is told of each store. A machine that is restored has none of these translations.
      cpu.fast.clearStoresHere();
    }
    if (!stores.records(n)) return false;
    this.events = cpu.events.total;
    cpu.recorder = stores;
    return true;
  }

  /** {@link enter} has been called, and the CPU has executed so many instructions. Stores are recorded until its turn ends. @returns for how many ticks it then waits */
  leave(n: number, executed: number, turnEnds: boolean): number {
    const { stores } = this;
    const cpu = this.cpus[n]!;
    cpu.recorder = undefined;
    stores.leave(executed > 0);
    if (executed === 0 || !stores.records(n)) return 0;
    if (cpu.events.total !== this.events) {
      stores.complete();
      return 0;
    }
    if (!turnEnds && !this.stallsNow(n) && !stores.ends(cpu.icount) && this.mayWait(cpu)) return 0;
    const held = stores.hold();
    if (!held) return 0;
    this.note({ dial: 'store', cpu: n, icount: held.icount, value: held.value });
    return held.ticks;
  }

  /** A debugger lets a CPU execute an instruction out of its turn: nothing waits that it would see, or that would undo it. */
  step(n: number): void {
    this.stores.complete();
    this.stores.enter(n, this.cpus[n]!.icount);
    this.stores.leave(true);
  }

  /** The CPU's turn was cut here: something else may have taken its link away. */
  after(n: number): void {
    const cpu = this.cpus[n]!;
    if (!this.chooser || cpu.linkedAt < 0) return;
    // Where stores would wait, the turn goes on.
    if (!this.waitHere(n) && this.choose('sc', n, cpu.icount) > 0) cpu.breakLink();
  }

  /** A physical line of a CPU changes. @param now the tick, not before the CPU's own */
  line(n: number, bit: number, level: boolean, now: number): void {
    const cpu = this.cpus[n]!;
    const slot = LINES * n + bit;
    const due = this.arrivals[slot]!;
    if (!level) {
      if (due !== NEVER) this.arrived(slot);
      setLine(cpu, bit, false);
      return;
    }
    if (due !== NEVER) return;
    const up = (cpu.lines & (1 << bit)) !== 0;
    const late = up || !this.chooser ? 0 : this.choose(bit === LINE.IPI ? 'ipi' : 'device', n, cpu.position);
    if (late === 0) setLine(cpu, bit, true);
    else {
      this.arrivals[slot] = now + late;
      this.underway++;
    }
  }

  private arrived(slot: number): void {
    this.arrivals[slot] = NEVER;
    this.underway--;
  }

  private deliver(n: number, now: number): void {
    for (let bit = 0; bit < LINES; bit++) {
      const slot = LINES * n + bit;
      if (this.arrivals[slot]! > now) continue;
      this.arrived(slot);
      setLine(this.cpus[n]!, bit, true);
    }
  }

  /** The tick at which the next line rises. */
  get deadline(): number {
    return this.underway > 0 ? this.arrivals.reduce((least, at) => Math.min(least, at), NEVER) : NEVER;
  }
}
