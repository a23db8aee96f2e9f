/**
 * The history of a machine. A run repeats exactly from any copy of the machine. So an earlier position is reached by
 * restoring a copy before it and running forward again. Events that do not follow from the machine itself (steps of a
 * debugger, its writes, input of console and network, CPUs that are held) are kept in a journal, and a replay repeats them at their positions.
 *
 * A position is a number of instructions of the whole machine, in the order in which CPUs take turns.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { type Machine, type MachineState, type Moment, type RunResult, SLICE } from '../machine/machine.ts';
import { arraysIn, type Fields, restoreFields, type Stateful, saveFields } from '../state/fields.ts';
import { AdaptiveBudget } from './adaptive-budget.ts';
import { finish, type Steps } from './steps.ts';

/** A copy of the machine, and of the data of observers. */
interface Checkpoint {
  readonly position: number;
  readonly state: MachineState;
  readonly extras: readonly Fields[];
  /** Journal entries before it. */
  readonly journal: number;
}

type Entry =
  | { readonly at: number; readonly kind: 'step'; readonly cpu: Cpu; readonly interrupts: boolean }
  | {
      readonly at: number;
      readonly kind: 'input';
      readonly to: 'console' | 'network';
      readonly bytes: Uint8Array;
      readonly moment: Moment;
    }
  | { readonly at: number; readonly kind: 'still'; readonly cpus: readonly Cpu[] }
  | { readonly at: number; readonly kind: 'change'; readonly state: MachineState };

/** The cost of the history: one part in so many of the running time may be used for copies. */
const COST = 40;
/** Fewest instructions between copies that are made while the machine runs. */
const LEAST_INTERVAL = 5_000_000;
/** A replay makes a copy so many instructions before its target, which makes the next steps back fast. */
const NEAR = 50_000;
const MOST_CHECKPOINTS = 64;
/** Most memory for copies in addition to the machine, in bytes. The recorded input counts too. */
const MOST_BYTES = 512 * 2 ** 20;
/** Most journal entries. A step of a debugger is one entry. */
const MOST_ENTRIES = 1_000_000;
/** Most journal entries of a history that has its first copy alone: then it is dropped. */
const MOST_REMEMBERED = 10_000;
/** Wanted time of one piece of a replay, in milliseconds. */
const PIECE_MS = 8;

export class History {
  private readonly machine: Machine;
  private readonly extras: readonly Stateful[];
  /** How far a replay goes at a time. */
  private readonly pieces: AdaptiveBudget;
  private checkpoints: Checkpoint[] = [];
  private journal: Entry[] = [];
  /** Index of the next entry to replay. */
  private next = 0;
  /** The latest position reached. Before it, the machine replays. */
  private frontier = 0;
  private interval = LEAST_INTERVAL;
  private due = true;
  /** A debugger has changed the machine, and the change is neither in a copy nor in the journal yet. */
  private changed = false;
  private on = false;
  /** Is there only the first copy? */
  private sparse = false;

  /** @param extras data of observers that must be restored together with the machine */
  constructor(machine: Machine, extras: readonly Stateful[]) {
    this.machine = machine;
    this.pieces = new AdaptiveBudget(machine.options.runtime, PIECE_MS, SLICE, SLICE / 64);
    this.extras = extras;
  }

  /** Do runs repeat? In real time they do not. */
  get possible(): boolean {
    return this.machine.options.clock === undefined;
  }

  /** Is the history kept with copies, so that each position is reached soon? */
  get enabled(): boolean {
    return this.on && !this.sparse;
  }

  /** Is any history kept? */
  get kept(): boolean {
    return this.on;
  }

  /** Begins a history at the present position that has its first copy alone. It costs nothing while the machine runs. */
  remember(): void {
    this.enable(true);
    this.sparse = this.on;
  }

  /** Makes a copy at the present position, in a history that makes none by itself. */
  mark(): void {
    if (this.sparse && !this.repeating) this.checkpoint();
  }

  /** Begins the history at the present position, or drops it. */
  enable(on: boolean): void {
    this.sparse = false;
    this.on = on && this.possible;
    this.checkpoints = [];
    this.journal = [];
    this.next = 0;
    this.frontier = this.position;
    this.due = on;
    this.changed = false;
  }

  /** Instructions that all CPUs have executed. */
  get position(): number {
    return this.machine.instructions;
  }

  /** Is the machine before its latest position? Then its output was printed before. */
  get repeating(): boolean {
    return this.on && this.position < this.frontier;
  }

  /** The latest position that was reached. */
  get latest(): number {
    return Math.max(this.frontier, this.position);
  }

  /** The earliest position that can be reached. */
  get beginning(): number {
    return this.checkpoints[0]?.position ?? this.position;
  }

  /** Positions of the copies, and the memory that they use in bytes; for reports. */
  get copies(): { readonly positions: readonly number[]; readonly bytes: number } {
    return { positions: this.checkpoints.map((c) => c.position), bytes: this.bytes() };
  }

  /** Runs the machine like {@link Machine.run}. */
  run(budget: number, until = Number.POSITIVE_INFINITY): RunResult {
    if (!this.on) return this.machine.run(budget, until);
    if (this.due) this.checkpoint();
    const entry = this.journal[this.next];
    if (entry && entry.at === this.position) return this.again(entry);
    let limit = Math.min(until, this.nextCheckpoint());
    if (this.repeating) limit = Math.min(limit, this.frontier);
    if (entry) limit = Math.min(limit, entry.at);
    const result = this.machine.run(budget, limit);
    this.frontier = Math.max(this.frontier, this.position);
    if (this.position >= this.nextCheckpoint()) this.due = true;
    return result;
  }

  /** One instruction of one CPU like {@link Machine.step}. */
  step(cpu: Cpu, interrupts: boolean): RunResult {
    if (!this.on) return this.machine.step(cpu, interrupts);
    if (this.due) this.checkpoint();
    // A step into what happened already does not skip what came from outside then.
    while (this.journal[this.next]?.at === this.position && this.journal[this.next]?.kind === 'input')
      this.again(this.journal[this.next]!);
    const entry = this.journal[this.next];
    if (entry?.kind === 'step' && entry.at === this.position && entry.cpu === cpu && entry.interrupts === interrupts)
      return this.again(entry);
    if (entry?.at !== this.position && this.machine.runsNext(cpu)) return this.run(1, this.position + 1);
    this.note({ at: this.position, kind: 'step', cpu, interrupts });
    const result = this.machine.step(cpu, interrupts);
    this.frontier = this.position;
    return result;
  }

  /** Bytes for the console have arrived, or a frame for the network card. */
  input(bytes: Uint8Array, to: 'console' | 'network' = 'console'): void {
    if (this.on) this.note({ at: this.position, kind: 'input', to, bytes, moment: this.machine.moment });
    this.give(bytes, to);
  }

  private give(bytes: Uint8Array, to: 'console' | 'network'): void {
    if (to === 'console') this.machine.consoleInput(bytes);
    else this.machine.networkInput(bytes);
  }

  /** Stops exactly these CPUs; all others run. */
  hold(cpus: readonly Cpu[]): void {
    if (this.machine.cpus.every((c) => c.frozen === cpus.includes(c))) return;
    if (this.on) this.note({ at: this.position, kind: 'still', cpus });
    this.freeze(cpus);
  }

  /** A debugger changes the machine: the history after this position is dropped. */
  disturb(): void {
    if (!this.on) return;
    this.forgetFuture();
    this.changed = true;
    this.due = true;
  }

  /**
   * Goes back to a position, or forward up to the latest one. The caller must handle observers.
   * @returns the position reached: not before the beginning, not after the latest one
   */
  goto(position: number): number {
    return finish(this.going(position));
  }

  /** {@link goto} in pieces. If the work ends early, the machine is at another position. */
  *going(position: number): Steps<number> {
    const target = Math.max(this.beginning, Math.min(position, this.frontier));
    if (target === this.position) return target;
    const from = this.restoreBefore(target);
    if (target - from > 2 * NEAR) {
      yield* this.replaying(target - NEAR);
      this.checkpoint();
    }
    yield* this.replaying(target);
    // The journal entries at the latest position belong to it, even if no instruction has followed.
    while (target === this.frontier && this.next < this.journal.length) {
      this.again(this.journal[this.next]!);
      this.machine.clearStops();
    }
    return target;
  }

  /** Restores the last copy at or before a position. @returns the position of the copy */
  restoreBefore(position: number): number {
    if (this.changed) this.checkpoint();
    const c = this.checkpoints.findLast((p) => p.position <= position);
    if (!c) throw new Error('history: nothing is kept of that time');
    this.machine.restore(c.state);
    this.extras.forEach((part, n) => {
      restoreFields(part, c.extras[n]!);
    });
    this.next = c.journal;
    return c.position;
  }

  /** Replays up to a position. @throws Error when the machine does not reach it: a defect of the emulator */
  replay(target: number): void {
    while (this.position < target) this.replaySome(target, Number.MAX_SAFE_INTEGER);
  }

  /** {@link replay} in pieces that take a short time. */
  *replaying(target: number): Steps<void> {
    while (this.position < target) {
      this.pieces.run((instructions) => this.replaySome(target, instructions));
      yield;
    }
  }

  private replaySome(target: number, budget: number): void {
    const before = this.position;
    const result = this.run(budget, target);
    this.machine.clearStops();
    if (this.position === before && (result === 'waiting' || result === 'poweroff'))
      throw new Error(`history: the machine does not repeat itself at instruction ${before}`);
  }

  /** Repeats a journal entry. */
  private again(entry: Entry): RunResult {
    this.next++;
    if (entry.kind === 'step') return this.machine.step(entry.cpu, entry.interrupts);
    if (entry.kind === 'input') {
      this.machine.moment = entry.moment;
      this.give(entry.bytes, entry.to);
    } else if (entry.kind === 'still') this.freeze(entry.cpus);
    else this.machine.restore(entry.state);
    return 'slice';
  }

  private freeze(cpus: readonly Cpu[]): void {
    for (const c of this.machine.cpus) c.frozen = cpus.includes(c);
  }

  private note(entry: Entry): void {
    if (this.sparse && this.journal.length > MOST_REMEMBERED) {
      this.enable(false);
      return;
    }
    this.forgetFuture();
    this.journal.push(entry);
    this.next++;
    // When a copy is made, old ones may have to be removed.
    if (this.journal.length > MOST_ENTRIES) this.due = true;
  }

  private forgetFuture(): void {
    this.journal.length = this.next;
    this.frontier = this.position;
    this.checkpoints = this.checkpoints.filter((c) => c.position <= this.position && c.journal <= this.next);
  }

  private nextCheckpoint(): number {
    return this.sparse ? Number.POSITIVE_INFINITY : this.lastCheckpoint() + this.interval;
  }

  private lastCheckpoint(): number {
    return this.checkpoints.findLast((c) => c.position <= this.position)?.position ?? this.position;
  }

  private checkpoint(): void {
    this.due = false;
    const { position } = this;
    const began = this.machine.options.runtime.now();
    const before = this.checkpoints.findLast((c) => c.position <= position);
    if (before?.position === position && before.journal === this.next && position < this.frontier && !this.changed)
      return;
    const state = this.machine.save(before?.state);
    if (this.changed) this.note({ at: position, kind: 'change', state });
    this.changed = false;
    const copy: Checkpoint = {
      position,
      state,
      extras: this.extras.map(saveFields),
      journal: this.next,
    };
    // A copy at the same position is older: a debugger has changed the machine since then.
    this.checkpoints = this.checkpoints.filter((c) => c.position !== position);
    this.checkpoints.push(copy);
    this.checkpoints.sort((a, b) => a.position - b.position);
    this.thin();
    // The machine runs about 300 million instructions a second, and copies may take one part in COST of the time.
    const spent = this.machine.options.runtime.now() - began;
    this.interval = Math.max(LEAST_INTERVAL, Math.round(spent * COST * 300_000));
  }

  private bytes(): number {
    const unique = new Set<ArrayBufferView>();
    const changes = this.journal.filter((entry) => entry.kind === 'change');
    for (const { extras } of this.checkpoints) arraysIn(extras, unique);
    for (const { state } of [...this.checkpoints, ...changes]) {
      for (const chunk of state.ram.values()) unique.add(chunk);
      // Disks and flash can be as large as the RAM.
      arraysIn(state.parts, unique);
    }
    const shared = this.machine.sharedArrays();
    let sum = 0;
    for (const array of unique) if (!shared.has(array)) sum += array.byteLength;
    for (const entry of this.journal) if (entry.kind === 'input') sum += entry.bytes.length;
    return sum;
  }

  private get overfull(): boolean {
    return this.journal.length > MOST_ENTRIES || this.bytes() > MOST_BYTES;
  }

  /** Makes room: removes every second copy of the older half, then the oldest copies. */
  private thin(): void {
    if (this.checkpoints.length > MOST_CHECKPOINTS || this.bytes() > MOST_BYTES) {
      const half = this.checkpoints.length >> 1;
      this.checkpoints = this.checkpoints.filter((_, n) => n === 0 || n >= half || n % 2 === 1);
    }
    while (this.checkpoints.length > 2 && this.checkpoints[1]!.position <= this.position && this.overfull)
      this.forgetOldest();
  }

  /** Removes the oldest copy, and the journal entries that only this copy needs. */
  private forgetOldest(): void {
    this.checkpoints.shift();
    const gone = this.checkpoints[0]!.journal;
    this.journal.splice(0, gone);
    this.next -= gone;
    this.checkpoints = this.checkpoints.map((c) => ({ ...c, journal: c.journal - gone }));
  }
}
