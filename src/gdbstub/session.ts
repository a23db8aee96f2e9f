/**
 * The session of one client. It is the {@link Target} of packets and commands. It delegates to parts that each have
 * one concern.
 */

import type { Cpu } from '../emu/cpu/cpu.ts';
import type { Scope } from '../emu/debug/breakpoints.ts';
import type { DebugContext } from '../emu/debug/context.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { End, Stop } from '../emu/debug/stop.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import type { Vm } from '../emu/debug/vms.ts';
import type { Machine } from '../emu/machine/machine.ts';
import type { BreakpointCode } from './agent-expression.ts';
import { announcement, HELD, oldRegisters, stoppedElsewhere, stoppedSilently } from './announcement.ts';
import { BranchTrace } from './branch-trace.ts';
import { FirstProcess } from './first-process.ts';
import { Handshake } from './handshake.ts';
import { KnownRegisters } from './known-registers.ts';
import { type Line, PacketQueue } from './packet-queue.ts';
import { Resumption } from './resumption.ts';
import { Reverse } from './reverse.ts';
import { SessionBreakpoints } from './session-breakpoints.ts';
import { SIGNAL } from './signals.ts';
import type { StepClass } from './soft-step.ts';
import { StepJournal } from './step-journal.ts';
import { StopReplies } from './stop-replies.ts';
import type { Answer, Dispatch, Resume, Target, TargetSettings } from './target.ts';
import { ThreadSelection } from './thread-selection.ts';
import {
  contextOf,
  GUEST_PID_BASE,
  MACHINE_PID,
  matchesThread,
  type Thread,
  type ThreadPattern,
  type View,
} from './threads.ts';
import { telling } from './told-lines.ts';
import { UnknownCode } from './unknown-code.ts';

/** Packets that read memory. */
const READS = /^[mx]/;

export interface SessionOptions extends Line {
  readonly control: RunControl;
  readonly view: View;
  readonly dispatch: Dispatch;
  readonly symbolize: Symbolizer;
  /** The file that a world was booted from (−1: the host), as an absolute path. Undefined when it is not known. */
  readonly executable?: (world: number, needed: boolean) => string | undefined;
  /** Called when the client asks for more than its handshake. */
  readonly onUse?: () => void;
  /** Called when the client has let the machine go. */
  readonly onDetach?: () => void;
}

export class Session implements Target {
  readonly control: RunControl;
  readonly machine: Machine;
  readonly symbolize: Symbolizer;
  readonly reverse = new Reverse(this);
  readonly branchTrace = new BranchTrace(this);
  readonly settings: TargetSettings = {
    breakByPhysical: false,
    breakInAsid: undefined,
    guestsAuto: false,
    followWorld: false,
    followInterrupt: false,
    signals: false,
  };
  running = false;
  features: ReadonlySet<string> = new Set();
  passed: ReadonlySet<number> = new Set();
  mmioRead = false;
  mmioWrite = false;
  readonly known = new KnownRegisters();
  readonly unknownCode = new UnknownCode();
  readonly firstProcess = new FirstProcess();
  /** gdb has shown the last stop to the user. */
  private stopShown = true;
  physicalMemory = false;
  document: Target['document'];
  /** The client has detached. */
  detached = false;
  readonly handshake = new Handshake();
  private readonly onUse: () => void;
  private readonly onDetach: () => void;
  private readonly dispatch: Dispatch;
  private readonly selection: ThreadSelection;
  private readonly journal: StepJournal;
  private readonly breakpoints: SessionBreakpoints;
  private readonly resumption: Resumption;
  private readonly replies: StopReplies;
  private readonly packets: PacketQueue;

  constructor(options: SessionOptions) {
    const { control } = options;
    this.control = control;
    this.machine = control.machine;
    this.symbolize = options.symbolize;
    this.dispatch = options.dispatch;
    this.onUse = options.onUse ?? (() => {});
    this.onDetach = options.onDetach ?? (() => {});
    this.selection = new ThreadSelection(control, options.view, options.executable);
    this.journal = new StepJournal(control);
    const { selection, settings, journal } = this;
    const tell = telling(this);
    this.breakpoints = new SessionBreakpoints({ owner: this, control, selection, settings, journal, tell });
    this.resumption = new Resumption(control, journal);
    this.replies = new StopReplies(this, selection, this.resumption);
    this.packets = new PacketQueue(options, this, this.machine.options.runtime);
    if (!control.history.enabled) control.history.enable(true);
    control.attach(this);
  }

  // --- the connection ----------------------------------------------------------------------------------------------

  /**
   * Receives bytes from the client.
   * @returns whether more bytes may arrive at once. If not, {@link Line.drained} says when they may arrive again
   */
  receive(bytes: Uint8Array): boolean {
    return this.packets.receive(bytes);
  }

  /** The connection is closed: packets without an answer are dropped. */
  close(): void {
    this.packets.close();
    this.detach();
  }

  /** Is the client waiting for an answer? */
  get busy(): boolean {
    return this.packets.busy;
  }

  get inUse(): boolean {
    return this.control.inUse;
  }

  answer(payload: string): Answer {
    if (!this.handshake.over) {
      this.handshake.heard(payload);
      if (this.handshake.over) this.onUse();
    }
    if (!READS.test(payload)) this.unknownCode.heardOther();
    return this.dispatch(this, payload);
  }

  interrupt(): void {
    this.control.interrupt();
  }

  reply(payload: string): void {
    this.packets.reply(payload);
  }

  output(text: string): void {
    this.packets.output(text);
  }

  lastOutput(text: string): string {
    return this.packets.lastOutput(text);
  }

  // --- threads -----------------------------------------------------------------------------------------------------

  get view(): View {
    return this.selection.view;
  }

  get current(): Thread {
    return this.selection.current;
  }

  set current(thread: Thread) {
    this.selection.current = thread;
  }

  get attached(): Map<number, Set<number>> {
    return this.selection.attached;
  }

  get hostView(): boolean {
    return this.selection.hostView;
  }

  set hostView(on: boolean) {
    this.selection.hostView = on;
  }

  get machineHidden(): boolean {
    return this.selection.machineHidden;
  }

  set machineHidden(hidden: boolean) {
    this.selection.machineHidden = hidden;
  }

  get context(): DebugContext {
    return this.selection.context;
  }

  get guestContext(): DebugContext | undefined {
    return this.selection.guestContext;
  }

  threads(): Thread[] {
    return this.selection.threads();
  }

  askedForThreads(): void {
    this.stopShown = true;
    this.firstProcess.stopShown();
  }

  listed(): Thread[] {
    return this.detached || this.control.over ? [] : this.selection.listed();
  }

  find(pattern: ThreadPattern): Thread | undefined {
    return this.selection.find(pattern);
  }

  threadFor(cpu: Cpu, scope: Scope): Thread {
    return this.selection.threadFor(cpu, scope);
  }

  executable(pid: number): string | undefined {
    return this.selection.executable(pid);
  }

  // --- breakpoints -------------------------------------------------------------------------------------------------

  get scope(): Scope {
    return this.selection.scope;
  }

  get places(): Map<string, number> {
    return this.breakpoints.places;
  }

  insertBreakpoint(va: bigint, hardware: boolean, code: BreakpointCode): void {
    this.breakpoints.insert(va, hardware, code);
  }

  removeBreakpoint(va: bigint, hardware: boolean): void {
    this.breakpoints.remove(va, hardware);
  }

  noteRead(address: bigint, length: number): void {
    this.firstProcess.looksAt(this.current);
    this.journal.read(address, length);
  }

  // --- running -----------------------------------------------------------------------------------------------------

  get stepInto(): Set<StepClass> {
    return this.resumption.stepInto;
  }

  set stepInto(classes: Set<StepClass>) {
    this.resumption.stepInto = classes;
  }

  get stepMode(): 'cpu' | 'world' | 'guest' {
    return this.resumption.stepMode;
  }

  set stepMode(mode: 'cpu' | 'world' | 'guest') {
    this.resumption.stepMode = mode;
  }

  resume(thread: Thread, how: Resume): void {
    const { control } = this;
    const pc = contextOf(thread, control).pc();
    // gdb would step from where it believes that the thread stands, and the machine would run away.
    if (this.known.isOld(thread, pc) && (how.exact || this.journal.insertedAnew(thread.pid))) {
      this.output(oldRegisters(thread, pc));
      this.reply(this.threadReply(SIGNAL.none, '', thread));
      return;
    }
    this.current = thread;
    this.known.resumed(this.threads().filter(how.covers));
    this.running = true;
    // gdb steps its current thread by a breakpoint behind the instruction.
    if (!how.single && this.journal.planted(thread, false) !== undefined) this.firstProcess.steps(thread);
    if (!how.exact && !this.stopShown) this.breakpoints.leave(control.stoppedAt);
    this.resumption.begin(thread, how);
    this.output(this.breakpoints.tellMisplaced());
    if (control.heldBesides(this)) this.output(HELD);
    control.kick();
  }

  stopped(stop: Stop): void {
    const stepped = this.resumption.end();
    if (this.detached) {
      this.running = true;
      return;
    }
    this.stopShown = false;
    this.announce(stop, stepped);
    this.output(this.unknownCode.atStop(this.control, this.threads()));
    this.reply(this.forResumed(this.replies.forStop(stop, stepped), stop.kind === 'interrupt'));
    if (!this.resumption.single) this.firstProcess.looksAt(this.current);
    this.packets.drain();
  }

  /**
   * The reply for a stop, from a thread that gdb has resumed, and hears: gdb aborts when another one reports it. The reply
   * has selected the thread where the machine has stopped.
   */
  private forResumed(reply: string, interrupted: boolean): string {
    const { resumption, current } = this;
    const isSilent = this.firstProcess.isSilent(current);
    if (resumption.covers(current) && (!isSilent || resumption.single)) return reply;
    if (resumption.single)
      return this.threadReply(interrupted ? SIGNAL.interrupt : SIGNAL.trap, '', resumption.thread!);
    const resumed = this.threads().filter((t) => resumption.covers(t) && !this.firstProcess.isSilent(t));
    const shown = resumed.find((t) => t.cpu === current.cpu) ?? resumed[0];
    if (!shown) return reply;
    const pc = contextOf(current, this.control).pc();
    this.output(isSilent ? stoppedSilently(current, pc) : stoppedElsewhere(current, shown, pc));
    return this.threadReply(SIGNAL.none, '', shown);
  }

  /** Prints what gdb's stop reply cannot express. */
  private announce(stop: Stop, stepped: Thread | undefined): void {
    const text = announcement(this, stop, stepped, this.resumption.from, this.resumption.single);
    if (text === undefined) return;
    this.output(text);
    // gdb has no breakpoint at this address of the place, so it does not step over it.
    if (stop.kind === 'breakpoint') this.control.hooks.passOnce(stop.cpu);
  }

  arrived(stop: Stop): void {
    if (this.detached) return;
    const { pattern, thread = this.current } = this.reverse;
    this.resumption.reversed(thread, (t) => pattern === undefined || matchesThread(pattern, t));
    this.announce(stop, undefined);
    this.output(this.unknownCode.atStop(this.control, this.threads()));
    this.reply(this.forResumed(this.replies.forStop(stop, undefined), stop.kind === 'interrupt'));
    if (!this.reverse.thread) this.firstProcess.looksAt(this.current);
  }

  threadReply(signal: number, pairs: string, thread: Thread): string {
    return this.replies.forThread(signal, pairs, thread);
  }

  currentStop(): string {
    this.firstProcess.found(this.current);
    return this.threadReply(SIGNAL.trap, '', this.current);
  }

  halted(text: string): void {
    if (!this.detached && this.view.kind === 'machine' && this.running) this.output(`[lvz] ${text}\n`);
  }

  firstEntry(cpu: Cpu, vm: Vm): void {
    if (this.detached || this.view.kind !== 'machine' || !this.running) return;
    const pid = GUEST_PID_BASE + vm.number;
    if (this.settings.guestsAuto) this.attached.set(pid, new Set());
    this.output(
      `[lvz] VM ${vm.number} (gid ${vm.gid}) entered for the first time, on cpu${cpu.index}: process ${pid}\n`,
    );
  }

  /** The process whose end gdb is told: one that it has. It aborts when that is not so. */
  private get ending(): number {
    const pids = this.selection.listed().map((t) => t.pid);
    return pids.includes(MACHINE_PID) ? MACHINE_PID : (pids[0] ?? MACHINE_PID);
  }

  ended(end: End): void {
    if (this.running && !this.detached)
      this.reply(`${end.kind === 'died' ? 'X06' : 'W00'};process:${this.ending.toString(16)}`);
    this.running = false;
    this.packets.abandonWork();
    this.packets.drain();
  }

  attachAgain(): void {
    if (!this.detached) return;
    this.detached = false;
    this.running = false;
    if (!this.control.history.enabled) this.control.history.enable(true);
    this.control.attach(this);
  }

  detach(): void {
    if (this.detached) {
      // What the client has asked for since it had left its last process.
      this.control.detach(this);
      return;
    }
    this.detached = true;
    this.running = true;
    this.resumption.end();
    const searching = this.packets.forget();
    const { control } = this;
    control.history.hold([]);
    control.detach(this);
    // When no client needs the past any more, or when a search has stopped somewhere in it, the machine returns to
    // the position from which the past was entered.
    if (!control.hasClients || searching) control.replayer.leave();
    this.onDetach();
  }
}
