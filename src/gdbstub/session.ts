/** One connection: acknowledgements, the selected thread, the packets since the last stop, stop replies. */

import type { Cpu } from '../emu/cpu/cpu.ts';
import type { Breakpoint, Scope } from '../emu/debug/breakpoints.ts';
import type { Catch } from '../emu/debug/catches.ts';
import { anyGuestContext, type DebugContext } from '../emu/debug/context.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { End, Stop } from '../emu/debug/stop.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import { Turns } from '../emu/debug/turns.ts';
import { walk } from '../emu/debug/walk.ts';
import { u32At } from '../emu/formats/little-endian.ts';
import type { Machine } from '../emu/machine/machine.ts';
import { announcement } from './announcement.ts';
import { BranchTrace } from './branch-trace.ts';
import { conditionOf } from './condition.ts';
import { encodePacket, type Frame, fromLatin1, PacketParser, toHex, valueToHex } from './framing.ts';
import { PC_REGNUM, registerByNumber } from './registers.ts';
import { Reverse } from './reverse.ts';
import { exceptionSignal, SIGNAL } from './signals.ts';
import {
  beginsAtomicSequence,
  DEFAULT_STEP_INTO,
  type JournalEntry,
  predictNext,
  recognizeStep,
  SingleStep,
  type StepClass,
  UntilEntered,
  WithinWorld,
} from './soft-step.ts';
import type { Answer, Dispatch, Target, TargetSettings } from './target.ts';
import {
  contextOf,
  GUEST_PID_BASE,
  listThreads,
  MACHINE_PID,
  matchesThread,
  type Thread,
  type ThreadPattern,
  threadId,
  type View,
} from './threads.ts';

/** Registers sent along with each stop: ra, sp, fp, pc. */
const EXPEDITED = [1, 3, 22, PC_REGNUM];

/** Milliseconds for which one client's packets are answered before others have their turn. */
const TURN_MS = 20;
/** Most packets that wait while the machine runs: gdb sends none but interrupts then. */
const MOST_WAITING = 1024;
/** Most bytes between packets that are none of the protocol's. gdb sends none. */
const MOST_NOISE = 4096;
/** Reads and insertions since the last stop that are remembered to recognize a step: at least so many. */
const JOURNAL_KEPT = 4096;
/** Most places that are remembered for breakpoints by physical address. */
const MOST_PLACES = 10_000;
/** Longest text in one console packet, in characters: in hex, as UTF-8, it stays below the packet size. */
const TEXT_PIECE = 16_000;

export interface SessionOptions {
  readonly control: RunControl;
  readonly view: View;
  readonly dispatch: Dispatch;
  readonly symbolize: Symbolizer;
  /** The file that a world was booted from (−1: the host), as an absolute path; undefined when it is not known. */
  readonly executable?: (world: number) => string | undefined;
  /** Sends bytes to the client. */
  readonly send: (bytes: Uint8Array) => void;
  /** Receives a line per packet, for --log gdb. */
  readonly log: (line: string) => void;
  /** A valid packet has come. @returns false when the client is to be left alone */
  readonly heard?: () => boolean;
  /** The client goes on sending what is not the protocol. */
  readonly strayed?: () => void;
}

export class Session implements Target {
  readonly control: RunControl;
  readonly machine: Machine;
  readonly view: View;
  readonly symbolize: Symbolizer;
  running = false;
  /** Processes attached beside process 1: guests with the vCPUs that the client has been told of, and the host world. */
  readonly attached = new Map<number, Set<number>>();
  /** Features that gdb announced in qSupported. */
  features: ReadonlySet<string> = new Set();
  /** The thread that register and memory packets mean. */
  current: Thread;
  stepInto = new Set<StepClass>(DEFAULT_STEP_INTO);
  /** Steps of process 1: wherever the CPU goes, within the world where they begin, or in guests alone. */
  stepMode: 'cpu' | 'world' | 'guest' = 'cpu';
  mmioRead = false;
  /** QEMU's physical memory mode: memory packets mean physical addresses. */
  physicalMemory = false;
  readonly settings: TargetSettings = {
    breakByPhysical: false,
    breakInAsid: undefined,
    guestsAuto: false,
    followWorld: false,
    followInterrupt: false,
    signals: false,
  };
  /** Signals that gdb does not want to see (QPassSignals). */
  passed: ReadonlySet<number> = new Set();
  readonly reverse = new Reverse(this);
  readonly branchTrace = new BranchTrace(this);
  private readonly options: SessionOptions;
  private readonly parser = new PacketParser();
  /** Packets that wait, in their order: while the machine runs, while work is under way, and when their turn is over. */
  private queue: string[] = [];
  private readonly turns: Turns;
  private drainLater = false;
  /** Told when the queue is empty again after {@link receive} has said that it is not. */
  onDrained: () => void = () => {};
  /** Operations of breakpoint conditions since a CPU was last asked to come back for them. */
  conditionWork = 0;
  private noAck = false;
  private lastSent: Uint8Array | undefined;
  private journal: JournalEntry[] = [];
  private readonly inserted = new Set<string>();
  private insertedBefore: ReadonlySet<bigint> = new Set();
  private step: SingleStep | WithinWorld | undefined;
  /** World in which the CPU was when it was resumed. */
  private stepWorld = -1;
  private stepThread: Thread | undefined;
  private resumed: Thread | undefined;
  /** The resume named one thread: gdb aborts when another one reports the stop. */
  private resumedAlone = false;
  private detached = false;

  constructor(options: SessionOptions) {
    this.options = options;
    this.control = options.control;
    this.machine = options.control.machine;
    this.turns = new Turns(this.machine.options.runtime);
    this.view = options.view;
    this.symbolize = options.symbolize;
    this.current = this.threads()[0]!;
    if (!this.control.history.enabled) this.control.history.enable(true);
    this.control.attach(this);
  }

  /** Process 1 has been killed by an `attach` in the same inferior: it is listed no more, and can be attached again. */
  machineHidden = false;

  /** Threads that the client is told of. Never empty. */
  threads(): Thread[] {
    const all = listThreads(this.view, this.machine.cpus, this.attached, this.control.vcpuStates);
    const shown = this.machineHidden ? all.filter((t) => t.pid !== MACHINE_PID) : all;
    return shown.length ? shown : all;
  }

  /** The first thread a pattern names; the selected one where the pattern leaves it open. */
  find(pattern: ThreadPattern): Thread | undefined {
    const all = this.threads();
    const same = all.find((t) => t.pid === this.current.pid && t.tid === this.current.tid);
    if (same && matchesThread(pattern, same) && pattern.tid <= 0) return same;
    return all.find((t) => matchesThread(pattern, t));
  }

  get context(): DebugContext {
    return contextOf(this.current, this.control);
  }

  /** The guest that the selected thread shows, or that its CPU has: for address windows. */
  get guestContext(): DebugContext | undefined {
    const ctx = this.context;
    if (ctx.world >= 0) return ctx;
    const { cpus } = this.machine;
    return anyGuestContext(cpus, ctx.cpu, ctx.cpu.gid, this.control.vcpuStates, this.control.contexts);
  }

  /** The file of a process, for gdb to load symbols from. */
  executable(pid: number): string | undefined {
    const world = this.view.kind === 'guest' ? this.view.gid : pid >= GUEST_PID_BASE ? pid - GUEST_PID_BASE : -1;
    return this.options.executable?.(world);
  }

  /**
   * Bytes from the client.
   * @returns whether more may come at once; {@link onDrained} says when it may again
   */
  receive(bytes: Uint8Array): boolean {
    if (!this.drainLater) this.turnEnds = undefined;
    for (const frame of this.parser.push(bytes)) if (!this.closed) this.frame(frame);
    this.drain();
    if (this.parser.noise > MOST_NOISE) this.options.strayed?.();
    return !this.drainLater;
  }

  /** The connection is over: what has come and is not answered yet is forgotten. */
  close(): void {
    this.closed = true;
    this.detach();
  }
  private closed = false;

  /** Is the client waiting for an answer? */
  get busy(): boolean {
    return this.running || this.turns.active || this.queue.length > 0;
  }

  private frame(frame: Frame): void {
    switch (frame.kind) {
      case 'interrupt':
        // While stopped it is late, not wrong.
        if (this.turns.active) this.turns.cancel();
        else if (this.running) this.control.interrupt();
        return;
      case 'ack':
        return;
      case 'nack':
        if (!this.noAck && this.lastSent) this.options.send(this.lastSent);
        return;
      case 'bad-checksum':
        this.options.log('bad checksum, packet discarded');
        if (!this.noAck) this.options.send(fromLatin1('-'));
        return;
      case 'too-long':
        if (!this.noAck) this.options.send(fromLatin1('+'));
        this.reply('E.packet too long');
        return;
      case 'packet':
        if (this.options.heard?.() === false) return;
        if (!this.noAck) this.options.send(fromLatin1('+'));
        if (this.held && this.queue.length >= MOST_WAITING) this.reply('E.too many packets while the machine runs');
        else if (this.queue.length === 0 && !this.held && this.onTurn) this.handle(frame.payload);
        else this.queue.push(frame.payload);
    }
  }

  /** Do packets wait for a stop, or for work that this client has asked for? */
  private get waits(): boolean {
    return (this.running || this.turns.active) && !this.detached;
  }

  /** Or for another client, which goes over the past? */
  private get held(): boolean {
    return this.waits || this.control.inReplay;
  }

  /** Is time left of this client's turn? */
  private get onTurn(): boolean {
    const now = performance.now();
    this.turnEnds ??= now + TURN_MS;
    return now < this.turnEnds;
  }
  private turnEnds: number | undefined;

  /** Answers what waits, as far as this client's turn goes. */
  private drain(): void {
    while (this.queue.length && !this.held && this.onTurn) this.handle(this.queue.shift()!);
    // The end of what this client waits for comes back here by itself.
    if (this.queue.length === 0 || this.waits || this.drainLater) return;
    this.drainLater = true;
    setImmediate(() => {
      this.drainLater = false;
      this.turnEnds = undefined;
      this.drain();
      if (!this.drainLater) this.onDrained();
    });
  }

  private handle(payload: string): void {
    this.options.log(`<- ${payload.slice(0, 200)}`);
    if (payload === 'QStartNoAckMode') {
      this.reply('OK');
      this.noAck = true;
      return;
    }
    const fail = (error: unknown): void => this.reply(`E.${error instanceof Error ? error.message : String(error)}`);
    const answered = (answer: string | undefined): void => {
      if (answer !== undefined) this.reply(answer);
    };
    let answer: Answer;
    try {
      answer = this.options.dispatch(this, payload);
    } catch (error) {
      fail(error);
      return;
    }
    if (typeof answer !== 'object') answered(answer);
    else
      this.turns.run(
        answer,
        (text) => {
          answered(text);
          this.drain();
        },
        (error) => {
          fail(error);
          this.drain();
        },
      );
  }

  /** Sends a packet. */
  reply(payload: string): void {
    this.options.log(`-> ${payload.slice(0, 200)}`);
    this.lastSent = encodePacket(payload);
    this.options.send(this.lastSent);
  }

  /** Text on the user's console; only while a resume or a monitor command is outstanding. */
  output(text: string): void {
    for (let at = 0; at < text.length; at += TEXT_PIECE)
      this.reply(`O${toHex(Buffer.from(text.slice(at, at + TEXT_PIECE), 'utf8'))}`);
  }

  // --- breakpoints -------------------------------------------------------------------------------------------------

  /** The scope of comparators inserted for the selected thread. */
  get scope(): Scope {
    if (this.current.gid !== undefined) return this.current.gid;
    // With a guest attached, its own process owns guest addresses.
    return this.current.host || this.attached.size ? 'host' : 'any';
  }

  /**
   * Inserts a breakpoint for the selected process.
   * @param conditions agent expressions: one that is not 0 stops
   * @throws Error when breakpoints go by physical address and this one leads nowhere
   */
  insertBreakpoint(va: bigint, hardware: boolean, conditions: readonly Uint8Array[]): void {
    const pa = this.settings.breakByPhysical ? this.physicalPlace(va) : undefined;
    this.control.comparators.insert({
      owner: this,
      scope: this.scope,
      va,
      hardware,
      ...(pa !== undefined && { pa }),
      ...(this.settings.breakInAsid !== undefined && { asid: this.settings.breakInAsid }),
      ...(conditions.length > 0 && { when: conditionOf(this, conditions) }),
    });
    if (!hardware) {
      this.inserted.add(`${this.current.pid}:${va}`);
      this.note({ kind: 'insert', address: va });
    }
  }

  /**
   * Where an address led when a breakpoint was first set there: gdb inserts its breakpoints anew at each resume, in
   * whatever mode the CPU is then.
   */
  private physicalPlace(va: bigint): number {
    const key = `${this.current.pid}:${va}`;
    let pa = this.places.get(key);
    if (pa === undefined) {
      const { address } = walk(this.context, this.machine.ram, va);
      if (address === undefined) throw new Error(`0x${va.toString(16)} does not translate: 'monitor bp-by virtual'`);
      pa = Number(address);
      if (this.places.size >= MOST_PLACES) this.places.clear();
      this.places.set(key, pa);
    }
    return pa;
  }
  readonly places = new Map<string, number>();

  removeBreakpoint(va: bigint, hardware: boolean): void {
    const guest = this.current.gid;
    this.control.comparators.remove(
      (b) =>
        b.owner === this &&
        b.va === va &&
        b.hardware === hardware &&
        (guest === undefined ? typeof b.scope !== 'number' : b.scope === guest),
    );
    if (!hardware) this.inserted.delete(`${this.current.pid}:${va}`);
  }

  /** Remembers a memory read: gdb reads the instruction before it plants a step. */
  noteRead(address: bigint, length: number): void {
    this.note({ kind: 'read', address, length });
  }

  private note(entry: JournalEntry): void {
    if (this.journal.length >= 2 * JOURNAL_KEPT) this.journal = this.journal.slice(-JOURNAL_KEPT);
    this.journal.push(entry);
  }

  private insertedFor(pid: number): Set<bigint> {
    const prefix = `${pid}:`;
    return new Set([...this.inserted].filter((k) => k.startsWith(prefix)).map((k) => BigInt(k.slice(prefix.length))));
  }

  // --- running -----------------------------------------------------------------------------------------------------

  /**
   * Lets the machine run on for `thread`.
   * @param single only this thread is named: other CPUs stay still
   * @param exact one instruction, whatever it does
   */
  resume(thread: Thread, single: boolean, exact: boolean): void {
    this.current = thread;
    this.resumed = thread;
    this.resumedAlone = single;
    const { cpu } = thread;
    this.stepWorld = cpu.world;
    const live = contextOf(thread, this.control).live;
    const inserted = this.insertedFor(thread.pid);
    this.step = undefined;
    this.stepThread = undefined;
    if (!live) {
      if (exact) {
        if (thread.gid !== undefined) this.control.setStepper(new UntilEntered(cpu, thread.gid), false);
        this.stepThread = thread;
      }
    } else {
      const planted = exact ? undefined : this.recognize(thread, inserted, single);
      if (exact || planted !== undefined) {
        this.step = this.stepperFor(thread, planted);
        this.stepThread = thread;
        this.control.setStepper(this.step);
      }
    }
    this.control.history.hold(single ? this.machine.cpus.filter((c) => c !== cpu) : []);
    this.insertedBefore = inserted;
    this.journal = [];
    this.running = true;
    this.control.kick();
  }

  private stepperFor(thread: Thread, planted: bigint | undefined): SingleStep | WithinWorld {
    const { cpu } = thread;
    const guest = thread.gid ?? (this.stepMode === 'world' && cpu.vm ? cpu.gid : undefined);
    const step = new SingleStep(cpu, this.control.comparators, planted, guest, this.stepInto);
    if (thread.host || (this.stepMode === 'world' && guest === undefined)) return new WithinWorld(step, false);
    return this.stepMode === 'guest' && thread.gid === undefined ? new WithinWorld(step, true) : step;
  }

  private recognize(thread: Thread, inserted: ReadonlySet<bigint>, single: boolean): bigint | undefined {
    const ctx = contextOf(thread, this.control);
    const pc = ctx.pc();
    const read = (at: bigint): number | undefined => u32At(readVirtual(this.machine, ctx, at, 4));
    // An LL/SC sequence ends behind the sc: that is a run to a breakpoint, not one instruction.
    if (beginsAtomicSequence(pc, read)) return undefined;
    const next = predictNext(ctx, pc, read);
    return recognizeStep({ pc, next, journal: this.journal, inserted, before: this.insertedBefore, single });
  }

  stopped(stop: Stop): void {
    this.step?.finish();
    const stepThread = this.stepThread;
    this.step = undefined;
    this.stepThread = undefined;
    this.journal = [];
    if (this.detached) {
      this.running = true;
      return;
    }
    this.announce(stop, stepThread);
    const reply = this.stopReply(stop, stepThread);
    const alone = this.resumedAlone ? this.resumed : undefined;
    const other = alone !== undefined && (alone.pid !== this.current.pid || alone.tid !== this.current.tid);
    this.reply(other ? this.threadReply(SIGNAL.trap, '', alone) : reply);
    this.drain();
  }

  /** Says in words what gdb's stop reply cannot. */
  private announce(stop: Stop, stepThread: Thread | undefined): void {
    const text = announcement(this, stop, stepThread, this.stepWorld);
    if (text === undefined) return;
    this.output(text);
    // gdb knows of no breakpoint at this name of the place, and does not step off it.
    if (stop.kind === 'breakpoint') this.control.passOnce(stop.cpu);
  }

  /** The end of a step: with `follow world on` in the process of the world where it ended, which gdb then selects. */
  private stepReply(thread: Thread): string {
    const { cpu } = thread;
    const follow = this.settings.followWorld && this.view.kind === 'machine';
    const ended = !follow ? thread : cpu.vm ? this.threadFor(cpu, cpu.gid) : this.threadOn(cpu);
    return this.threadReply(ended.pid === thread.pid ? SIGNAL.trap : SIGNAL.none, '', ended);
  }

  firstEntry(cpu: Cpu, gid: number): void {
    if (this.detached || this.view.kind !== 'machine' || !this.running) return;
    const pid = GUEST_PID_BASE + gid;
    if (this.settings.guestsAuto) this.attached.set(pid, new Set());
    this.output(`[lvz] guest gid ${gid} entered for the first time, on cpu${cpu.index}: process ${pid}\n`);
  }

  /** Reverse execution has arrived somewhere. */
  arrived(stop: Stop): void {
    if (this.detached) return;
    this.announce(stop, undefined);
    this.reply(this.stopReply(stop, undefined));
  }

  private stopReply(stop: Stop, stepThread: Thread | undefined): string {
    switch (stop.kind) {
      case 'interrupt': {
        const thread = this.resumed ?? this.current;
        const inGuest = this.settings.followInterrupt && thread.cpu.vm ? thread.cpu.gid : undefined;
        return this.threadReply(
          SIGNAL.interrupt,
          '',
          inGuest === undefined ? thread : this.threadFor(thread.cpu, inGuest),
        );
      }
      case 'beginning':
        return this.threadReply(SIGNAL.trap, 'replaylog:begin;', this.threadOn(stop.cpu));
      case 'loop':
        return this.threadReply(SIGNAL.none, '', this.threadOn(stop.cpu));
      case 'step':
        return stepThread ? this.stepReply(stepThread) : this.threadReply(SIGNAL.none, '', this.threadOn(stop.cpu));
      case 'breakpoint': {
        const here = this.control.comparators.at(stop.va, stop.world, stop.cpu, stop.pa);
        const mine = here.filter((b) => b.owner === this && b.when?.(stop.cpu) !== false);
        if (mine.length) {
          const bp = this.preferred(mine);
          // By physical address it may stand under another name: gdb knows of none here, and would go on.
          if (bp.va !== stop.va) return this.threadReply(SIGNAL.none, '', this.threadFor(stop.cpu, bp.scope));
          const key = bp.hardware ? 'hwbreak' : 'swbreak';
          return this.threadReply(
            SIGNAL.trap,
            this.features.has(key) ? `${key}:;` : '',
            this.threadFor(stop.cpu, bp.scope),
          );
        }
        if (stepThread) return this.threadReply(SIGNAL.trap, '', stepThread);
        return this.threadReply(SIGNAL.none, '', this.threadOn(stop.cpu));
      }
      case 'watch': {
        const { watch, address } = stop.hit;
        if (watch.owner !== this || watch.listed) return this.threadReply(SIGNAL.none, '', this.threadOn(stop.cpu));
        const key = { write: 'watch', read: 'rwatch', access: 'awatch' }[watch.kind];
        return this.threadReply(SIGNAL.trap, `${key}:${address.toString(16)};`, this.threadFor(stop.cpu, watch.scope));
      }
      case 'catch': {
        const { syscall, world } = stop.caught;
        if (syscall?.owner !== this)
          return this.threadReply(this.signalOf(stop.caught, stop.cpu), '', this.threadOn(stop.cpu));
        const pair = `syscall_entry:${syscall.number.toString(16)};`;
        return this.threadReply(SIGNAL.trap, pair, this.threadFor(stop.cpu, world === 'any' ? 'any' : world));
      }
    }
  }

  /** The signal under which an exception that was caught by command is reported, with `signals on`. */
  private signalOf(caught: Catch, cpu: Cpu): number {
    const signal = this.settings.signals && caught.kind === 'exception' ? exceptionSignal(cpu) : SIGNAL.none;
    return this.passed.has(signal) ? SIGNAL.none : signal;
  }

  /** Of several breakpoints at one place, the one of the process that was resumed. */
  private preferred(list: readonly Breakpoint[]): Breakpoint {
    const gid = this.resumed?.gid;
    return list.find((b) => (gid === undefined ? typeof b.scope !== 'number' : b.scope === gid)) ?? list[0]!;
  }

  threadFor(cpu: Cpu, scope: Scope): Thread {
    if (typeof scope !== 'number') return this.threadOn(cpu);
    const on = this.control.vcpuStates.on(cpu)?.vcpu;
    const own = this.threads().filter((t) => t.gid === scope && t.cpu === cpu);
    return own.find((t) => t.vcpu === on) ?? own[0] ?? this.threadOn(cpu);
  }

  /** The thread that shows what a CPU does: the CPU itself, or the guest of a guest's port. */
  private threadOn(cpu: Cpu): Thread {
    const all = this.threads();
    const vcpu = this.control.vcpuStates.on(cpu)?.vcpu;
    return (
      all.find((t) => t.pid === MACHINE_PID && t.cpu === cpu && (t.gid === undefined || t.vcpu === vcpu)) ??
      all.find((t) => t.cpu === cpu) ??
      all[0]!
    );
  }

  /** A stop reply for `thread`, which becomes the selected one. */
  threadReply(signal: number, pairs: string, thread: Thread): string {
    this.current = thread;
    const ctx = contextOf(thread, this.control);
    const registers = EXPEDITED.map(
      (n) => `${n.toString(16).padStart(2, '0')}:${valueToHex(registerByNumber(n)!.read(ctx), 8)};`,
    );
    return `T${signal.toString(16).padStart(2, '0')}${pairs}${registers.join('')}thread:${threadId(thread)};core:${thread.cpu.index.toString(16)};`;
  }

  /** The answer to `?`. */
  currentStop(): string {
    return this.threadReply(SIGNAL.trap, '', this.current);
  }

  ended(end: End): void {
    if (this.running && !this.detached) this.reply(end.kind === 'died' ? 'X06;process:1' : 'W00;process:1');
    this.running = false;
    this.turns.abandon();
    this.drain();
  }

  /** Lets go of the machine: breakpoints vanish, the machine runs on. */
  detach(): void {
    if (this.detached) return;
    this.detached = true;
    this.running = true;
    this.step?.finish();
    this.queue = [];
    const searching = this.turns.active;
    this.turns.abandon();
    const { control } = this;
    control.history.hold([]);
    control.detach(this);
    if (control.hasClients && !searching) return;
    // Nobody looks at the past any more, or a search has left the machine somewhere in it: it goes on where it was.
    control.replayer.leave();
  }
}
