/**
 * The history of a machine. A run repeats exactly from any copy of the machine. So an earlier position is reached by
 * restoring a copy before it and running forward again. Events that do not follow from the machine itself (steps of a
 * debugger, its writes, input of console and network, CPUs that are held) are kept in a journal, and a replay repeats them at their positions.
 *
 * A position is a number of instructions of the whole machine, in the order in which CPUs take turns.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { type Machine, type MachineCopy, type RunResult, SLICE } from '../machine/machine.ts';
import { finish, type Steps } from '../runtime/steps.ts';
import type { Fields, Stateful } from '../state/fields.ts';
import { restoreShared, saveShared } from '../state/shared-copy.ts';
import { AdaptiveBudget } from './adaptive-budget.ts';
import { Copies } from './copies.ts';
import type { CheckEntry, Entry, Inlet, InputEntry, RecordedRun } from './journal.ts';

/** The cost of the history: one part in so many of the running time may be used for copies. */
const COST = 20;
/** The least and the longest running time between copies, in milliseconds. */
const LEAST_WORK_MS = 40;
const MOST_WORK_MS = 80;
/** About what it costs to keep a page of RAM before it changes, in milliseconds: once for the copy, once to come back to fast code. */
const PAGE_MS = 0.002;
/** Most instructions until the running time is looked at again. */
const LOOK_EVERY = 20_000_000;
/** A replay makes a copy so many instructions before its target, which makes the next steps back fast. */
const NEAR = 50_000;
/** Memory for copies in addition to the machine, in bytes, unless the user says otherwise. The recorded input counts too. */
export const DEFAULT_HISTORY = 512 * 2 ** 20;
/** With less, little more than the present can be kept. */
export const LEAST_HISTORY = 16 * 2 ** 20;
/** Most journal entries. A step of a debugger is one entry. */
const MOST_ENTRIES = 1_000_000;
/** Most input that is remembered since power-on, in parts, and the latest position from which the whole run is repeated. */
const MOST_REMEMBERED = 10_000;
const FARTHEST = 3_000_000_000;
/** Instructions of other CPUs that a step in a recorded run executes at most in one go. */
const MOST_TURNS = 2000;
const STRAYS = {
  registers: 'has other registers',
  poweroff: 'is switched off',
  waiting: 'waits for what does not come',
} as const;
/** Wanted time of one piece of a replay, in milliseconds. */
const PIECE_MS = 8;

export class History {
  private readonly machine: Machine;
  private readonly extras: readonly Stateful[];
  /** How far a replay goes at a time. */
  private readonly pieces: AdaptiveBudget;
  private readonly copied: Copies;
  private journal: Entry[] = [];
  /** Bytes of the input in the journal. */
  private inputBytes = 0;
  /** Index of the next entry to replay. */
  private next = 0;
  /** The latest position reached. Before it, the machine replays. */
  private frontier = 0;
  /** What a copy has cost lately, and the running time from one copy to the next, in milliseconds. */
  private spent = 0;
  private interval = LEAST_WORK_MS;
  private due = true;
  /** A debugger has changed the machine, and the change is neither in a copy nor in the journal yet. */
  private changed = false;
  private on = false;
  /** The machine at power-on without its RAM, and what came from outside since; while nothing else has changed it. */
  private powerOn:
    | { readonly rest: MachineCopy; readonly extras: readonly Fields[]; readonly input: Entry[] }
    | undefined;
  private recorded: RecordedRun | undefined;
  /** Receives the input of a run that is being recorded. */
  recorder: ((entry: InputEntry) => void) | undefined;

  /**
   * @param extras data of observers that must be restored together with the machine
   * @param budget bytes of memory for copies and input
   */
  constructor(machine: Machine, extras: readonly Stateful[], budget = DEFAULT_HISTORY) {
    this.machine = machine;
    this.extras = extras;
    this.pieces = new AdaptiveBudget(machine.options.runtime, PIECE_MS, SLICE, SLICE / 64);
    this.copied = new Copies(machine, extras, {
      budget,
      others: () => this.inputBytes,
      lost: () => this.begin(),
    });
  }

  /** Do runs repeat? In real time they do not. */
  get possible(): boolean {
    return this.machine.options.clock === undefined;
  }

  get enabled(): boolean {
    return this.on;
  }

  /** Remembers a machine that has just been loaded, so that its whole run can be repeated ({@link recall}). While it runs, this costs nothing. */
  remember(): void {
    if (this.possible)
      this.powerOn = {
        rest: this.machine.copy(),
        extras: this.extras.map((part) => saveShared(part, undefined)),
        input: [],
      };
  }

  /**
   * Begins the history at power-on, and puts the machine there: it has been at the present position before.
   * @returns whether the run can be repeated
   */
  recall(): boolean {
    const { powerOn, position } = this;
    if (!powerOn || this.on || this.recorded || position > FARTHEST) return false;
    this.enable(true);
    this.powerOn = powerOn;
    this.machine.powerOnAgain(powerOn.rest);
    this.extras.forEach((part, n) => {
      restoreShared(part, powerOn.extras[n]!);
    });
    this.checkpoint();
    this.journal = [...powerOn.input];
    this.frontier = position;
    return true;
  }

  /** Ends a history that {@link recall} has begun. The machine must be at its latest position. */
  endRecall(): void {
    const { powerOn } = this;
    this.enable(false);
    this.powerOn = powerOn;
  }

  /**
   * The machine, which has not run yet, will repeat a recorded run. Nothing else happens to it: input is ignored, steps follow the
   * order in which the CPUs ran, and changes are refused.
   */
  follow(run: RecordedRun): void {
    this.enable(true);
    this.recorded = run;
    this.journal = [...run.entries];
  }

  /** Does the machine repeat a recorded run? */
  get fixed(): boolean {
    return this.recorded !== undefined;
  }

  /** Has a recorded run come to its end? */
  get recordingOver(): boolean {
    return this.recorded !== undefined && this.position >= this.recorded.end && this.next >= this.journal.length;
  }

  /** The last position that can be gone to: more than the latest one where the run is recorded. */
  get end(): number {
    return this.recorded?.end ?? this.frontier;
  }

  /** Begins the history at the present position, or drops it. That of a recorded run stays. */
  enable(on: boolean): void {
    if (this.recorded) return;
    this.powerOn = undefined;
    this.on = on && this.possible;
    this.copied.clear();
    this.begin();
  }

  /** Nothing is known of the past. */
  private begin(): void {
    if (!this.recorded) {
      this.journal = [];
      this.inputBytes = 0;
      this.next = 0;
      this.frontier = 0;
    }
    this.due = this.on;
    this.changed = false;
  }

  /** Memory for copies and input, in bytes. */
  get budget(): number {
    return this.copied.most;
  }

  set budget(bytes: number) {
    this.copied.most = bytes;
    this.trimJournal();
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
    return this.copied.oldest?.position ?? this.position;
  }

  /**
   * Positions of the copies, the running time in milliseconds from each to the next one, and the memory that they use in bytes; for
   * reports.
   */
  get copies(): { readonly positions: readonly number[]; readonly work: readonly number[]; readonly bytes: number } {
    const { all, bytes } = this.copied;
    return { positions: all.map((c) => c.position), work: all.map((c) => c.work), bytes };
  }

  /** Runs the machine like {@link Machine.run}. @throws Error when a recorded run does not repeat itself */
  run(budget: number, until = Number.POSITIVE_INFINITY): RunResult {
    if (!this.on) return this.machine.run(budget, until);
    if (this.due) this.checkpoint();
    const { position } = this;
    const entry = this.journal[this.next];
    if (entry && entry.at === position) return this.again(entry);
    if (this.recordingOver) return 'waiting';
    const limit = Math.min(until, entry?.at ?? until, this.recorded?.end ?? until);
    const result =
      position < this.frontier
        ? this.machine.run(budget, Math.min(limit, this.frontier))
        : this.runOn(budget, Math.min(limit, position + LOOK_EVERY));
    // The machine may have been switched off there.
    for (
      let next = this.journal[this.next];
      next?.kind === 'check' && next.at === this.position;
      next = this.journal[this.next]
    )
      this.again(next);
    return result;
  }

  /** The machine reaches a position for the first time. */
  private runOn(budget: number, until: number): RunResult {
    const { runtime } = this.machine.options;
    const began = runtime.now();
    const result = this.machine.run(budget, until);
    this.frontier = this.position;
    const { newest } = this.copied;
    if (newest) {
      newest.work += runtime.now() - began;
      if (newest.work >= this.interval) this.due = true;
    }
    return result;
  }

  /** One instruction of one CPU like {@link Machine.step}. */
  step(cpu: Cpu, interrupts: boolean): RunResult {
    if (!this.on) {
      this.powerOn = undefined;
      return this.machine.step(cpu, interrupts);
    }
    if (this.recorded) return this.stepOn(cpu);
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

  /** A step in a recorded run: the machine goes on until the CPU has had its turn, but not for long. */
  private stepOn(cpu: Cpu): RunResult {
    const before = cpu.icount;
    for (let n = 0; n < MOST_TURNS; n++) {
      const result = this.run(SLICE, this.position + 1);
      if (result !== 'slice' || cpu.icount !== before) return result;
    }
    return 'slice';
  }

  /** Bytes for the console have arrived, or a frame for the network card. */
  input(bytes: Uint8Array, to: Inlet = 'console'): void {
    if (this.recorded) return;
    if (this.on || this.recorder || this.powerOn) {
      const entry: InputEntry = { at: this.position, kind: 'input', to, bytes, moment: this.machine.moment };
      this.recorder?.(entry);
      if (this.on) {
        this.note(entry);
        this.inputBytes += bytes.length;
      } else if (this.powerOn && this.powerOn.input.push(entry) > MOST_REMEMBERED) this.powerOn = undefined;
    }
    this.give(bytes, to);
  }

  private give(bytes: Uint8Array, to: Inlet): void {
    if (to === 'console') this.machine.consoleInput(bytes);
    else this.machine.networkInput(bytes);
  }

  /** Stops exactly these CPUs; all others run. */
  hold(cpus: readonly Cpu[]): void {
    if (this.recorded || this.machine.cpus.every((c) => c.frozen === cpus.includes(c))) return;
    if (this.on) this.note({ at: this.position, kind: 'still', cpus });
    else this.powerOn = undefined;
    this.freeze(cpus);
  }

  /**
   * A debugger is about to change the machine: the history after this position is dropped.
   * @throws Error when the machine repeats a recorded run
   */
  disturb(): void {
    if (this.recorded) throw new Error('this is a recording: the machine cannot be changed');
    if (!this.on) this.powerOn = undefined;
    if (!this.on) return;
    this.forgetFuture();
    // What changes from here on is the change.
    if (!this.changed) this.checkpoint();
    this.changed = true;
    this.due = true;
  }

  /**
   * Goes back to a position, or forward up to the {@link end}. The caller must handle observers.
   * @returns the position reached: not before the beginning, not after the end
   */
  goto(position: number): number {
    return finish(this.going(position));
  }

  /** {@link goto} in pieces. If the work ends early, the machine is at another position. */
  *going(position: number): Steps<number> {
    if (this.within(position) === this.position) return this.position;
    this.keepPresent();
    const target = this.within(position);
    const from = this.restoreBefore(target);
    if (target - from > 2 * NEAR) {
      yield* this.replaying(target - NEAR);
      this.checkpoint();
    }
    yield* this.replaying(target);
    // The journal entries at the latest position belong to it, even if no instruction has followed.
    while (target === this.frontier && this.journal[this.next]?.at === target) {
      this.again(this.journal[this.next]!);
      this.machine.clearStops();
    }
    return target;
  }

  private within(position: number): number {
    return Math.max(this.beginning, Math.min(position, this.end));
  }

  /** From a copy of the present, the way back to it is short. It may need the memory of the oldest copy. */
  private keepPresent(): void {
    if (this.changed || (this.on && !this.repeating && this.position !== this.copied.newest?.position))
      this.checkpoint();
  }

  /** Restores the last copy at or before a position, or the oldest one. @returns the position of the copy */
  restoreBefore(position: number): number {
    this.keepPresent();
    const index = Math.max(0, this.copied.indexBefore(position));
    if (!this.copied.oldest) throw new Error('history: nothing is kept of that time');
    const copy = this.copied.restore(index);
    this.next = copy.journal;
    return copy.position;
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
    } else if (entry.kind === 'check') this.check(entry);
    else if (entry.kind === 'still') this.freeze(entry.cpus);
    else this.copied.repeat(entry.change);
    return 'slice';
  }

  private check({ digest }: CheckEntry): void {
    if (this.recorded!.digest() !== digest) throw new Error(this.strays('registers'));
  }

  /** The message for a machine that does not repeat its recorded run. @param how it differs */
  strays(how: keyof typeof STRAYS): string {
    return `the run is no longer the recorded one: the machine ${STRAYS[how]} at instruction ${this.position}: use the program and the files that recorded it`;
  }

  private freeze(cpus: readonly Cpu[]): void {
    for (const c of this.machine.cpus) c.frozen = cpus.includes(c);
  }

  private note(entry: Entry): void {
    this.forgetFuture();
    this.journal.push(entry);
    this.next++;
    // When a copy is made, old ones may have to be removed.
    if (this.journal.length > MOST_ENTRIES) this.due = true;
  }

  private forgetFuture(): void {
    this.forgetEntries(this.journal.splice(this.next));
    if (this.position < this.frontier) this.frontier = this.position;
    const { all } = this.copied;
    let last = all.length - 1;
    while (last > 0 && (all[last]!.position > this.position || all[last]!.journal > this.next)) last--;
    if (last < all.length - 1) this.copied.forgetAfter(last);
  }

  private forgetEntries(entries: readonly Entry[]): void {
    for (const entry of entries)
      if (entry.kind === 'input') this.inputBytes -= entry.bytes.length;
      else if (entry.kind === 'change') this.copied.release(entry.change);
  }

  private checkpoint(): void {
    this.due = false;
    const { position, copied } = this;
    if (copied.overfull && !this.repeating && !this.changed) {
      // Not even the way from the last copy to here can be kept.
      copied.clear();
      this.begin();
      this.due = false;
    }
    const began = this.machine.options.runtime.now();
    const before = copied.all[copied.indexBefore(position)];
    if (before?.position === position && before.journal === this.next && position < this.frontier && !this.changed)
      return;
    this.frontier = Math.max(this.frontier, position);
    if (this.changed) {
      this.journal.push({ at: position, kind: 'change', change: copied.takeChanged(++this.next) });
      this.changed = false;
    } else copied.take(this.next);
    while (!this.recorded && this.journal.length > MOST_ENTRIES && copied.forgetOldest()) this.trimJournal();
    this.trimJournal();
    const spent = this.machine.options.runtime.now() - began + copied.pagesOfLast * PAGE_MS;
    // Another program may have had the processor for some time.
    this.spent += (Math.min(spent, 4 * this.spent + 1) - this.spent) / 4;
    this.interval = Math.min(Math.max(LEAST_WORK_MS, this.spent * COST), MOST_WORK_MS);
  }

  /** Removes the journal entries that no copy needs any more. */
  private trimJournal(): void {
    const gone = this.copied.oldest?.journal ?? 0;
    if (gone === 0 || this.recorded) return;
    this.forgetEntries(this.journal.splice(0, gone));
    this.next -= gone;
    for (const copy of this.copied.all) copy.journal -= gone;
  }
}
