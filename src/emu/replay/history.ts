/**
 * The history of a machine. A run repeats exactly from any copy of the machine. So an earlier position is reached by
 * restoring a copy before it and running forward again. Events that do not follow from the machine itself (steps of a
 * debugger, its writes, input of console and network, CPUs that are held) are kept in a journal, and a replay repeats them at their positions.
 *
 * A position is a number of instructions of the whole machine, in the order in which CPUs take turns.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { type Machine, type RunResult, SLICE } from '../machine/machine.ts';
import { finish, type Steps } from '../runtime/steps.ts';
import type { Stateful } from '../state/fields.ts';
import { AdaptiveBudget } from './adaptive-budget.ts';
import { Copies } from './copies.ts';
import { CopyPace } from './copy-pace.ts';
import { type Entry, type Inlet, type InputEntry, Journal } from './journal.ts';
import type { OutsidePast } from './outside-past.ts';
import { PowerOn } from './power-on.ts';
import { FollowedRun, type RecordedRun, type RecordedState, type Stray } from './recorded-run.ts';

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
/** Instructions of other CPUs that a step in a recorded run executes at most in one go. */
const MOST_TURNS = 2000;
/** Wanted time of one piece of a replay, in milliseconds. */
const PIECE_MS = 8;
/** A long replay makes a copy so often, in milliseconds, so that the next one is short. */
const REPLAYED_MS = 200;

export class History {
  private readonly machine: Machine;
  private readonly extras: readonly Stateful[];
  private readonly outside: readonly OutsidePast[];
  /** How far a replay goes at a time. */
  private readonly pieces: AdaptiveBudget;
  private readonly copied: Copies;
  private readonly journal: Journal;
  private readonly pace = new CopyPace();
  /** The latest position reached. Before it, the machine replays. */
  private frontier = 0;
  private due = true;
  /** The position before which nothing is kept of what is outside. */
  private forgotten = 0;
  /** A debugger has changed the machine, and the change is neither in a copy nor in the journal yet. */
  private changed = false;
  private on = false;
  /** Where the run began, while nothing but input has changed the machine. */
  private powerOn: PowerOn | undefined;
  private recorded: FollowedRun | undefined;
  /** Receives the input of a run that is being recorded. */
  recorder: ((entry: InputEntry) => void) | undefined;

  /**
   * @param extras data of observers that must be restored together with the machine
   * @param budget bytes of memory for copies and input
   * @param outside what is outside the machine and goes with it
   */
  constructor(
    machine: Machine,
    extras: readonly Stateful[],
    budget = DEFAULT_HISTORY,
    outside: readonly OutsidePast[] = [],
  ) {
    this.machine = machine;
    this.extras = extras;
    this.outside = outside;
    this.pieces = new AdaptiveBudget(machine.options.runtime, PIECE_MS, SLICE, SLICE / 64);
    this.journal = new Journal((change) => this.copied.release(change));
    this.copied = new Copies(machine, extras, {
      budget,
      others: () => outside.reduce((sum, part) => sum + part.bytes, this.journal.inputBytes),
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
    if (this.possible) this.powerOn = new PowerOn(this.machine, this.extras);
  }

  /**
   * Begins the history at power-on, and puts the machine there: it has been at the present position before.
   * @returns whether the run can be repeated
   */
  recall(): boolean {
    const { powerOn, position } = this;
    if (!powerOn?.reaches(position) || this.on || this.recorded) return false;
    this.enable(true);
    this.powerOn = powerOn;
    powerOn.restore();
    this.checkpoint();
    this.journal.begin(powerOn.input);
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
    this.recorded = new FollowedRun(this.machine, this.extras, run);
    this.journal.begin(run.entries);
  }

  /** Does the machine repeat a recorded run? */
  get fixed(): boolean {
    return this.recorded !== undefined;
  }

  /** Has a recorded run come to its end? */
  get recordingOver(): boolean {
    return this.recorded !== undefined && this.position >= this.recorded.end && !this.journal.upcoming;
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
      this.journal.begin();
      this.frontier = 0;
    }
    for (const part of this.outside) part.begin(this.on ? () => this.position : undefined);
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
    const oldest = this.copied.oldest?.position ?? this.position;
    return Math.min(oldest, this.recorded?.firstState ?? oldest);
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
    const entry = this.journal.upcoming;
    if (entry && entry.at === position) return this.again();
    if (this.recordingOver) return 'waiting';
    const limit = Math.min(until, entry?.at ?? until, this.recorded?.end ?? until);
    const result =
      position < this.frontier
        ? this.machine.run(budget, Math.min(limit, this.frontier))
        : this.runOn(budget, Math.min(limit, position + LOOK_EVERY));
    // The machine may have been switched off there.
    while (this.journal.upcoming?.kind === 'check' && this.journal.upcoming.at === this.position) this.again();
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
      if (newest.work >= this.pace.interval) this.due = true;
    }
    return result;
  }

  /** One instruction of one CPU like {@link Machine.step}. */
  step(cpu: Cpu, interrupts: boolean): RunResult {
    if (!this.on) {
      this.powerOn = undefined;
      return this.machine.step(cpu, interrupts);
    }
    if (this.recorded || this.obstacle !== undefined) return this.stepOn(cpu);
    if (this.due) this.checkpoint();
    // A step into what happened already does not skip what came from outside then.
    while (this.journal.upcoming?.at === this.position && this.journal.upcoming.kind === 'input') this.again();
    const entry = this.journal.upcoming;
    if (entry?.kind === 'step' && entry.at === this.position && entry.cpu === cpu && entry.interrupts === interrupts)
      return this.again();
    if (entry?.at !== this.position && this.machine.runsNext(cpu)) return this.run(1, this.position + 1);
    this.note({ at: this.position, kind: 'step', cpu, interrupts });
    const result = this.machine.step(cpu, interrupts);
    this.frontier = this.position;
    return result;
  }

  /** A step where only what has happened can happen: the machine goes on until the CPU has had its turn, but not for long. */
  private stepOn(cpu: Cpu): RunResult {
    const before = cpu.icount;
    for (let n = 0; n < MOST_TURNS; n++) {
      const result = this.run(SLICE, this.position + 1);
      if (result !== 'slice' || cpu.icount !== before) return result;
    }
    return 'slice';
  }

  /** Bytes for the console have arrived, or a frame for the network card. They are lost where nothing new can happen. */
  input(bytes: Uint8Array, to: Inlet = 'console'): void {
    if (this.recorded || (this.on && this.obstacle !== undefined)) return;
    if (this.on || this.recorder || this.powerOn) {
      const entry: InputEntry = { at: this.position, kind: 'input', to, bytes, moment: this.machine.moment };
      this.recorder?.(entry);
      if (this.on) this.note(entry);
      else this.powerOn?.came(entry);
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
    // The others run as they did.
    if (this.on && this.obstacle !== undefined) return;
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
    while (target === this.frontier && this.journal.upcoming?.at === target) {
      this.again();
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

  /** Restores the last copy at or before a position, or the oldest one. Where the recording has a later state, the machine enters that. @returns the position */
  restoreBefore(position: number): number {
    this.keepPresent();
    const index = this.copied.indexBefore(position);
    const before = this.copied.all[index]?.position ?? Number.NEGATIVE_INFINITY;
    const state = this.recorded?.stateBefore(position);
    if (state && state.at > before) return this.enter(state, index);
    if (!this.copied.oldest) throw new Error('history: nothing is kept of that time');
    const copy = this.copied.restore(Math.max(0, index));
    this.journal.next = copy.journal;
    return copy.position;
  }

  /** Enters a state of a recorded run. @param index of the last copy before it; −1 when there is none @returns its position */
  private enter(state: RecordedState, index: number): number {
    if (index >= 0) this.copied.restore(index);
    else this.copied.clear();
    this.recorded!.enter(state);
    this.journal.next = state.entries;
    this.checkpoint();
    return state.at;
  }

  /** Enters the last state at or before a position of a recorded run, if the machine is before it. */
  leap(position: number): void {
    const state = this.recorded?.stateBefore(position);
    if (state && state.at > this.position) this.restoreBefore(position);
  }

  /** Replays up to a position. @throws Error when the machine does not reach it: a defect of the emulator */
  replay(target: number): void {
    while (this.position < target) this.replaySome(target, Number.MAX_SAFE_INTEGER);
  }

  /** {@link replay} in pieces that take a short time. A long one leaves copies behind, so that the next one is short. */
  *replaying(target: number): Steps<void> {
    const { runtime } = this.machine.options;
    let worked = 0;
    while (this.position < target) {
      const began = runtime.now();
      this.pieces.run((instructions) => this.replaySome(target, instructions));
      worked += runtime.now() - began;
      if (worked > REPLAYED_MS && this.repeating && this.copied.roomy) {
        this.checkpoint();
        worked = 0;
      }
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

  /** Repeats the next journal entry. */
  private again(): RunResult {
    const entry = this.journal.take();
    if (entry.kind === 'step') return this.machine.step(entry.cpu, entry.interrupts);
    if (entry.kind === 'input') {
      this.machine.moment = entry.moment;
      this.give(entry.bytes, entry.to);
    } else if (entry.kind === 'check') this.recorded!.check(entry, this.position >= this.frontier);
    else if (entry.kind === 'still') this.freeze(entry.cpus);
    else this.copied.repeat(entry.change);
    return 'slice';
  }

  /** Why the machine cannot go on from this moment in another way than it did; undefined when it can. */
  private get obstacle(): string | undefined {
    return this.outside.find((part) => part.obstacle !== undefined)?.obstacle;
  }

  /** The message for a machine that does not repeat its recorded run. @param how it differs */
  strays(how: Stray): string {
    return this.recorded!.strays(how);
  }

  private freeze(cpus: readonly Cpu[]): void {
    for (const c of this.machine.cpus) c.frozen = cpus.includes(c);
  }

  private note(entry: Entry): void {
    this.forgetFuture();
    this.journal.add(entry);
    // When a copy is made, old ones may have to be removed.
    if (this.journal.length > MOST_ENTRIES) this.due = true;
  }

  /** @throws Error where the machine cannot go on from here */
  private forgetFuture(): void {
    const { obstacle } = this;
    if (obstacle !== undefined) throw new Error(obstacle);
    for (const part of this.outside) part.fork();
    this.journal.forgetFuture();
    if (this.position < this.frontier) this.frontier = this.position;
    const { all } = this.copied;
    let last = all.length - 1;
    while (last > 0 && (all[last]!.position > this.position || all[last]!.journal > this.journal.next)) last--;
    if (last < all.length - 1) this.copied.forgetAfter(last);
  }

  private checkpoint(): void {
    this.due = false;
    const { position, copied, journal } = this;
    if (copied.overfull && !this.repeating && !this.changed) {
      // Not even the way from the last copy to here can be kept.
      copied.clear();
      this.begin();
      this.due = false;
    }
    const began = this.machine.options.runtime.now();
    const before = copied.all[copied.indexBefore(position)];
    if (before?.position === position && before.journal === journal.next && position < this.frontier && !this.changed)
      return;
    this.frontier = Math.max(this.frontier, position);
    if (this.changed) {
      journal.add({ at: position, kind: 'change', change: copied.takeChanged(journal.next + 1) });
      this.changed = false;
    } else copied.take(journal.next);
    while (!this.recorded && journal.length > MOST_ENTRIES && copied.forgetOldest()) this.trimJournal();
    this.trimJournal();
    this.pace.paid(this.machine.options.runtime.now() - began, copied.pagesOfLast);
  }

  /** Removes the journal entries that no copy needs any more. */
  private trimJournal(): void {
    const { journal: gone = 0, position = 0 } = this.copied.oldest ?? {};
    if (position > this.forgotten) for (const part of this.outside) part.forgetBefore(position);
    this.forgotten = position;
    if (gone === 0 || this.recorded) return;
    this.journal.forgetOldest(gone);
    for (const copy of this.copied.all) copy.journal -= gone;
  }
}
