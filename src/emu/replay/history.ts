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
import type { Inlet, InputEntry } from './journal.ts';
import { KeptPast } from './kept-past.ts';
import type { OutsidePast } from './outside-past.ts';
import { PowerOn } from './power-on.ts';
import { FollowedRun, type RecordedRun, type RecordedState, type Stray } from './recorded-run.ts';

/** Most instructions until the running time is looked at again. */
const LOOK_EVERY = 20_000_000;
/**
 * A replay makes copies so many instructions before its target: the next steps back, and questions to what was just before, are then
 * answered from there.
 */
const NEAR = 50_000;
export const APPROACH = [300_000, NEAR] as const;
/** Ticks of a few rounds of turns. */
const ROUNDS = 20_000;
/** Memory for copies in addition to the machine, in bytes, unless the user says otherwise. The recorded input counts too. */
export const DEFAULT_HISTORY = 512 * 2 ** 20;
/** With less, little more than the present can be kept. */
export const LEAST_HISTORY = 16 * 2 ** 20;
/** Instructions of other CPUs that a step in a recorded run executes at most in one go. */
const MOST_TURNS = 2000;
/** Wanted time of one piece of a replay, in milliseconds. */
const PIECE_MS = 8;
/** A long replay makes a copy so often, in milliseconds, so that the next one is short. */
const REPLAYED_MS = 200;

export class History {
  private readonly machine: Machine;
  private readonly extras: readonly Stateful[];
  private readonly past: KeptPast;
  /** How far a replay goes at a time. */
  private readonly pieces: AdaptiveBudget;
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
    this.pieces = new AdaptiveBudget(machine.options.runtime, PIECE_MS, SLICE, SLICE / 64);
    this.past = new KeptPast(machine, extras, budget, outside);
  }

  /** Do runs repeat? In real time they do not. */
  get possible(): boolean {
    return this.machine.options.clock === undefined;
  }

  get enabled(): boolean {
    return this.past.on;
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
    if (!powerOn?.reaches(position) || this.past.on || this.recorded) return false;
    this.enable(true);
    this.powerOn = powerOn;
    powerOn.restore();
    this.past.checkpoint();
    this.past.journal.begin(powerOn.input);
    this.past.frontier = position;
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
    this.past.fixed = true;
    this.recorded = new FollowedRun(this.machine, this.extras, run);
    this.past.journal.begin(run.entries);
  }

  /** Does the machine repeat a recorded run? */
  get fixed(): boolean {
    return this.recorded !== undefined;
  }

  /** Has a recorded run come to its end? */
  get recordingOver(): boolean {
    return this.recorded !== undefined && this.position >= this.recorded.end && !this.past.journal.upcoming;
  }

  /** The last position that can be gone to: more than the latest one where the run is recorded. */
  get end(): number {
    return this.recorded?.end ?? this.past.frontier;
  }

  /** Begins the history at the present position, or drops it. That of a recorded run stays. */
  enable(on: boolean): void {
    if (this.recorded) return;
    this.powerOn = undefined;
    this.past.on = on && this.possible;
    this.past.copied.clear();
    this.past.begin();
  }

  /** Memory for copies and input, in bytes. */
  get budget(): number {
    return this.past.copied.most;
  }

  set budget(bytes: number) {
    this.past.copied.most = bytes;
    this.past.trimJournal();
  }

  /** Instructions that all CPUs have executed. */
  get position(): number {
    return this.machine.instructions;
  }

  /** Is the machine before its latest position? Then its output was printed before. */
  get repeating(): boolean {
    return this.past.repeating;
  }

  /** A number that changes when the machine does, other than by running and by going to moments of its past. */
  get version(): number {
    return this.past.versions;
  }

  /** The latest position that was reached. */
  get latest(): number {
    return Math.max(this.past.frontier, this.position);
  }

  /** The earliest position that can be reached. */
  get beginning(): number {
    const oldest = this.past.copied.oldest?.position ?? this.position;
    return Math.min(oldest, this.recorded?.firstState ?? oldest);
  }

  /**
   * Positions of the copies, the running time in milliseconds from each to the next one, and the memory that they use in bytes; for
   * reports.
   */
  get copies(): { readonly positions: readonly number[]; readonly work: readonly number[]; readonly bytes: number } {
    const { all, bytes } = this.past.copied;
    return { positions: all.map((c) => c.position), work: all.map((c) => c.work), bytes };
  }

  /** Runs the machine like {@link Machine.run}. @throws Error when a recorded run does not repeat itself */
  run(budget: number, until = Number.POSITIVE_INFINITY): RunResult {
    if (!this.past.on) return this.machine.run(budget, until);
    if (this.past.due) this.past.checkpoint();
    const { position } = this;
    const entry = this.past.journal.upcoming;
    if (entry && entry.at === position) return this.again();
    if (this.recordingOver) return 'waiting';
    const limit = Math.min(until, entry?.at ?? until, this.recorded?.end ?? until);
    const result =
      position < this.past.frontier
        ? this.machine.run(budget, Math.min(limit, this.past.frontier))
        : this.runOn(budget, Math.min(limit, position + LOOK_EVERY));
    // The machine may have been switched off there.
    while (this.past.journal.upcoming?.kind === 'check' && this.past.journal.upcoming.at === this.position)
      this.again();
    return result;
  }

  /** The machine reaches a position for the first time. */
  private runOn(budget: number, until: number): RunResult {
    const { runtime } = this.machine.options;
    const began = runtime.now();
    const result = this.machine.run(budget, until);
    this.past.frontier = this.position;
    const { newest } = this.past.copied;
    if (newest) {
      newest.work += runtime.now() - began;
      if (newest.work >= this.past.pace.interval) this.past.due = true;
    }
    return result;
  }

  /** One instruction of one CPU like {@link Machine.step}. */
  step(cpu: Cpu, interrupts: boolean): RunResult {
    if (!this.past.on) {
      this.powerOn = undefined;
      return this.machine.step(cpu, interrupts);
    }
    if (this.recorded || this.past.obstacle !== undefined) return this.stepOn(cpu);
    if (this.past.due) this.past.checkpoint();
    // A step into what happened already does not skip what came from outside then.
    while (this.past.journal.upcoming?.at === this.position && this.past.journal.upcoming.kind === 'input')
      this.again();
    const entry = this.past.journal.upcoming;
    if (entry?.kind === 'step' && entry.at === this.position && entry.cpu === cpu && entry.interrupts === interrupts)
      return this.again();
    if (entry?.at !== this.position && this.machine.runsNext(cpu)) return this.run(1, this.position + 1);
    this.past.note({ at: this.position, kind: 'step', cpu, interrupts });
    const result = this.machine.step(cpu, interrupts);
    this.past.frontier = this.position;
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
    if (this.recorded || (this.past.on && this.past.obstacle !== undefined)) return;
    if (this.past.on || this.recorder || this.powerOn) {
      const entry: InputEntry = { at: this.position, kind: 'input', to, bytes, moment: this.machine.moment };
      this.recorder?.(entry);
      if (this.past.on) this.past.note(entry);
      else this.powerOn?.came(entry);
    }
    this.give(bytes, to);
  }

  /**
   * What has come from outside by the present position, since the beginning of the history; undefined when something else has changed
   * the machine, a debugger for example.
   */
  inputs(): readonly InputEntry[] | undefined {
    const { position } = this;
    const past = this.past.journal.entries.filter((e) => e.at <= position);
    const inputs = past.filter((e) => e.kind === 'input');
    return inputs.length === past.length ? inputs : undefined;
  }

  private give(bytes: Uint8Array, to: Inlet): void {
    if (to === 'console') this.machine.consoleInput(bytes);
    else this.machine.networkInput(bytes);
  }

  /** Stops exactly these CPUs; all others run. */
  hold(cpus: readonly Cpu[]): void {
    if (this.recorded || this.machine.cpus.every((c) => c.frozen === cpus.includes(c))) return;
    // The others run as they did.
    if (this.past.on && this.past.obstacle !== undefined) return;
    if (this.past.on) this.past.note({ at: this.position, kind: 'still', cpus });
    else this.powerOn = undefined;
    this.freeze(cpus);
  }

  /**
   * A debugger is about to change the machine: the history after this position is dropped.
   * @throws Error when the machine repeats a recorded run
   */
  disturb(): void {
    if (this.recorded) throw new Error('this is a recording: the machine cannot be changed');
    this.past.versions++;
    if (!this.past.on) this.powerOn = undefined;
    if (!this.past.on) return;
    this.past.forgetFuture();
    // What changes from here on is the change.
    if (!this.past.changed) this.past.checkpoint();
    this.past.changed = true;
    this.past.due = true;
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
    this.past.keepPresent();
    const target = this.within(position);
    const from = this.isOnTheWay(target) ? this.position : this.restoreBefore(target);
    for (const near of APPROACH) {
      if (target - from <= 2 * near) continue;
      yield* this.replaying(target - near);
      this.past.checkpoint();
    }
    yield* this.replaying(target);
    // The journal entries at the latest position belong to it, even if no instruction has followed.
    while (target === this.past.frontier && this.past.journal.upcoming?.at === target) {
      this.again();
      this.machine.clearStops();
    }
    return target;
  }

  /** Is the machine before a position, and nothing that is kept is between the two? */
  private isOnTheWay(target: number): boolean {
    const copy = this.past.copied.all[this.past.copied.indexBefore(target)];
    const nearest = Math.max(copy?.position ?? 0, this.recorded?.stateBefore(target)?.at ?? 0);
    return nearest <= this.position && this.position <= target;
  }

  private within(position: number): number {
    return Math.max(this.beginning, Math.min(position, this.end));
  }

  /** Restores the last copy at or before a position, or the oldest one. Where the recording has a later state, the machine enters that. @returns the position */
  restoreBefore(position: number): number {
    this.past.keepPresent();
    const index = this.past.copied.indexBefore(position);
    const before = this.past.copied.all[index]?.position ?? Number.NEGATIVE_INFINITY;
    const state = this.recorded?.stateBefore(position);
    if (state && state.at > before) return this.enter(state, index);
    if (!this.past.copied.oldest) throw new Error('history: nothing is kept of that time');
    const copy = this.past.copied.restore(Math.max(0, index));
    this.past.journal.next = copy.journal;
    return copy.position;
  }

  /**
   * From where on a CPU has executed nothing up to the present, as far as copies tell: its last instruction is before that position.
   */
  idleSince(cpu: Cpu): number {
    return Math.min(this.position, this.past.copied.firstWith(cpu, cpu.icount)?.position ?? this.position);
  }

  /** From where on a part of the machine has not changed up to a position, as far as copies there and before it tell. */
  unchangedSince(part: Stateful, position: number): number {
    const { copied } = this.past;
    const index = copied.indexBefore(position);
    // States of a recorded run are entered from elsewhere.
    if (this.recorded || copied.all[index]?.position !== position) return position;
    return copied.unchangedFrom(part, index).position;
  }

  /** A position up to which a CPU has had so many events, as far as copies tell: an early one. @param by one at which it has had them */
  eventsBy(cpu: Cpu, events: number, by: number): number {
    return Math.min(by, this.past.copied.firstWithEvents(cpu, events)?.position ?? by);
  }

  /** Enters a state of a recorded run. @param index of the last copy before it; −1 when there is none @returns its position */
  private enter(state: RecordedState, index: number): number {
    if (index >= 0) this.past.copied.restore(index);
    else this.past.copied.clear();
    this.recorded!.enter(state);
    this.past.journal.next = state.entries;
    this.past.checkpoint();
    return state.at;
  }

  /** A position before which no guest has been entered, as far as the states of a recorded run tell: late, but not the latest one. */
  get beforeGuests(): number {
    return Math.max(this.beginning, this.recorded?.lastWithoutGuests?.at ?? 0);
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
      if (worked > REPLAYED_MS && this.repeating && this.past.copied.roomy) {
        this.past.checkpoint();
        worked = 0;
      }
      yield;
    }
  }

  /**
   * Replays to shortly before a tick of the stable counter, but not past a position, and leaves a copy there when the way was long.
   * Where every CPU waits in `idle`, it may come behind the tick.
   */
  *approaching(tick: number, last: number): Steps<void> {
    const { machine, position } = this;
    // So many instructions take at most so many ticks, and with several CPUs fewer.
    for (let left = tick - machine.time; left > ROUNDS && this.position < last; left = tick - machine.time)
      yield* this.replaying(Math.min(last, this.position + left - ROUNDS / 2));
    if (this.position - position > NEAR) this.past.checkpoint();
  }

  /** Replays the turn of the CPU that has it now, up to a position at most. */
  replayTurn(target: number): void {
    const { machine } = this;
    const { onTurn } = machine;
    machine.onTurn = (cpu) => cpu.requestStop();
    try {
      this.replaySome(target, Number.MAX_SAFE_INTEGER);
    } finally {
      machine.onTurn = onTurn;
    }
  }

  private replaySome(target: number, budget: number): void {
    const before = this.position;
    const { next } = this.past.journal;
    const result = this.run(budget, target);
    this.machine.clearStops();
    // A step of a CPU that waits is an entry without an instruction: the run goes on behind it.
    const stays = this.position === before && this.past.journal.next === next;
    if (stays && (result === 'waiting' || result === 'poweroff'))
      throw new Error(`history: the machine does not repeat itself at instruction ${before}`);
  }

  /** Repeats the next journal entry. */
  private again(): RunResult {
    const entry = this.past.journal.take();
    if (entry.kind === 'step') return this.machine.step(entry.cpu, entry.interrupts);
    if (entry.kind === 'input') {
      this.machine.moment = entry.moment;
      this.give(entry.bytes, entry.to);
    } else if (entry.kind === 'check') this.recorded!.check(entry, this.position >= this.past.frontier);
    else if (entry.kind === 'still') this.freeze(entry.cpus);
    else this.past.copied.repeat(entry.change);
    return 'slice';
  }

  /** The message for a machine that does not repeat its recorded run. @param how it differs */
  strays(how: Stray): string {
    return this.recorded!.strays(how);
  }

  private freeze(cpus: readonly Cpu[]): void {
    for (const c of this.machine.cpus) c.frozen = cpus.includes(c);
  }
}
