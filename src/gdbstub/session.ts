/** One connection: acknowledgements, the selected thread, the packets since the last stop, stop replies. */
import type { Machine } from '../emu/board/machine.ts';
import type { Cpu } from '../emu/cpu/cpu.ts';
import type { Breakpoint, Scope } from '../emu/debug/breakpoints.ts';
import type { DebugContext } from '../emu/debug/context.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import type { Symbolizer, SymbolLookup } from '../emu/debug/explain.ts';
import type { Client, End, RunControl, Stop } from '../emu/debug/run-control.ts';
import { encodePacket, type Frame, fromLatin1, PacketParser, toHex, valueToHex } from './framing.ts';
import { PC_REGNUM, registerByNumber } from './registers.ts';
import {
  beginsAtomicSequence,
  DEFAULT_STEP_INTO,
  type JournalEntry,
  predictNext,
  recognizeStep,
  SingleStep,
  type StepClass,
  UntilEntered,
} from './soft-step.ts';
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

/** Signals in gdb's own numbering. */
const SIGNAL = { none: 0x00, interrupt: 0x02, trap: 0x05 } as const;
/** Registers sent along with each stop: ra, sp, fp, pc. */
const EXPEDITED = [1, 3, 22, PC_REGNUM];

/** Answers a packet: a payload, or undefined when the answer comes later (a stop reply) or never. */
export type Dispatch = (session: Session, payload: string) => string | undefined;

export interface SessionOptions {
  readonly control: RunControl;
  readonly view: View;
  readonly dispatch: Dispatch;
  readonly symbolize: Symbolizer;
  readonly lookup: SymbolLookup;
  /** Sends bytes to the client. */
  readonly send: (bytes: Uint8Array) => void;
  /** Receives a line per packet, for --log gdb. */
  readonly log: (line: string) => void;
}

export class Session implements Client {
  readonly control: RunControl;
  readonly machine: Machine;
  readonly view: View;
  readonly symbolize: Symbolizer;
  readonly lookup: SymbolLookup;
  running = false;
  /** GIDs attached as processes of their own. */
  readonly attached = new Set<number>();
  /** Features that gdb announced in qSupported. */
  features: ReadonlySet<string> = new Set();
  /** The thread that register and memory packets mean. */
  current: Thread;
  stepInto = new Set<StepClass>(DEFAULT_STEP_INTO);
  mmioRead = false;
  private readonly options: SessionOptions;
  private readonly parser = new PacketParser();
  private readonly queue: string[] = [];
  private noAck = false;
  private lastSent: Uint8Array | undefined;
  private journal: JournalEntry[] = [];
  private readonly inserted = new Set<string>();
  private insertedBefore: ReadonlySet<bigint> = new Set();
  private step: SingleStep | undefined;
  private stepThread: Thread | undefined;
  private resumed: Thread | undefined;
  /** The resume named one thread: gdb aborts when another one reports the stop. */
  private resumedAlone = false;
  private detached = false;

  constructor(options: SessionOptions) {
    this.options = options;
    this.control = options.control;
    this.machine = options.control.machine;
    this.view = options.view;
    this.symbolize = options.symbolize;
    this.lookup = options.lookup;
    this.current = this.threads()[0]!;
    this.control.attach(this);
  }

  /** Process 1 has been killed by an `attach` in the same inferior: it is listed no more, and can be attached again. */
  machineHidden = false;

  /** Threads that the client is told of. Never empty. */
  threads(): Thread[] {
    const all = listThreads(this.view, this.machine.cpus, this.attached, this.control.snapshots);
    const shown = this.machineHidden ? all.filter((t) => t.gid !== undefined) : all;
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
    return contextOf(this.current, this.control.snapshots);
  }

  /** Bytes from the client. */
  receive(bytes: Uint8Array): void {
    for (const frame of this.parser.push(bytes)) this.frame(frame);
  }

  private frame(frame: Frame): void {
    switch (frame.kind) {
      case 'interrupt':
        // While stopped it is late, not wrong.
        if (this.running) this.control.interrupt();
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
        if (!this.noAck) this.options.send(fromLatin1('+'));
        if (this.running && !this.detached) this.queue.push(frame.payload);
        else this.handle(frame.payload);
    }
  }

  private handle(payload: string): void {
    this.options.log(`<- ${payload.slice(0, 200)}`);
    if (payload === 'QStartNoAckMode') {
      this.reply('OK');
      this.noAck = true;
      return;
    }
    let answer: string | undefined;
    try {
      answer = this.options.dispatch(this, payload);
    } catch (error) {
      answer = `E.${error instanceof Error ? error.message : String(error)}`;
    }
    if (answer !== undefined) this.reply(answer);
  }

  /** Sends a packet. */
  reply(payload: string): void {
    this.options.log(`-> ${payload.slice(0, 200)}`);
    this.lastSent = encodePacket(payload);
    this.options.send(this.lastSent);
  }

  /** Text on the user's console; only while a resume or a monitor command is outstanding. */
  output(text: string): void {
    this.reply(`O${toHex(fromLatin1(text))}`);
  }

  // --- breakpoints -------------------------------------------------------------------------------------------------

  /** The scope of comparators inserted for the selected thread. */
  get scope(): Scope {
    if (this.current.gid !== undefined) return this.current.gid;
    // With a guest attached, its own process owns guest addresses.
    return this.attached.size ? 'host' : 'any';
  }

  insertBreakpoint(va: bigint, hardware: boolean): void {
    this.control.comparators.insert({ owner: this, scope: this.scope, va, hardware });
    if (!hardware) {
      this.inserted.add(`${this.current.pid}:${va}`);
      this.journal.push({ kind: 'insert', address: va });
    }
  }

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
    this.journal.push({ kind: 'read', address, length });
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
    const live = contextOf(thread, this.control.snapshots).live;
    const inserted = this.insertedFor(thread.pid);
    this.step = undefined;
    this.stepThread = undefined;
    if (!live) {
      if (exact) {
        this.control.setStepper(new UntilEntered(cpu, thread.gid!), false);
        this.stepThread = thread;
      }
    } else {
      const planted = exact ? undefined : this.recognize(thread, inserted, single);
      if (exact || planted !== undefined) {
        this.step = new SingleStep(cpu, this.control.comparators, planted, thread.gid, this.stepInto);
        this.stepThread = thread;
        this.control.setStepper(this.step);
      }
    }
    if (single) for (const other of this.machine.cpus) other.frozen = other !== cpu;
    this.insertedBefore = inserted;
    this.journal = [];
    this.running = true;
    this.control.kick();
  }

  private recognize(thread: Thread, inserted: ReadonlySet<bigint>, single: boolean): bigint | undefined {
    const ctx = contextOf(thread, this.control.snapshots);
    const pc = ctx.pc();
    const read = (at: bigint): number | undefined => {
      const bytes = readVirtual(this.machine, ctx, at, 4);
      return bytes.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) : undefined;
    };
    // An LL/SC sequence ends behind the sc: that is a run to a breakpoint, not one instruction.
    if (beginsAtomicSequence(pc, read)) return undefined;
    const next = predictNext(ctx, pc, read);
    return recognizeStep(pc, next, this.journal, inserted, this.insertedBefore, single);
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
    if (stop.kind === 'catch' && !stop.caught.syscall) this.output(`[lvz] catch ${stop.caught.id}: ${stop.text}\n`);
    const reply = this.stopReply(stop, stepThread);
    const alone = this.resumedAlone ? this.resumed : undefined;
    const other = alone !== undefined && (alone.pid !== this.current.pid || alone.tid !== this.current.tid);
    this.reply(other ? this.threadReply(SIGNAL.trap, '', alone) : reply);
    this.drain();
  }

  /** Answers what arrived while the machine ran. */
  private drain(): void {
    while (!this.running && this.queue.length) this.handle(this.queue.shift()!);
  }

  private stopReply(stop: Stop, stepThread: Thread | undefined): string {
    switch (stop.kind) {
      case 'interrupt':
        return this.threadReply(SIGNAL.interrupt, '', this.resumed ?? this.current);
      case 'step':
        return stepThread
          ? this.threadReply(SIGNAL.trap, '', stepThread)
          : this.threadReply(SIGNAL.none, '', this.threadOn(stop.cpu));
      case 'breakpoint': {
        const here = this.control.comparators.at(stop.va, stop.world);
        const mine = here.filter((b) => b.owner === this);
        if (mine.length) {
          const bp = this.preferred(mine);
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
        if (watch.owner !== this) return this.threadReply(SIGNAL.none, '', this.threadOn(stop.cpu));
        const key = { write: 'watch', read: 'rwatch', access: 'awatch' }[watch.kind];
        return this.threadReply(SIGNAL.trap, `${key}:${address.toString(16)};`, this.threadFor(stop.cpu, watch.scope));
      }
      case 'catch': {
        const { syscall, world } = stop.caught;
        if (syscall?.owner !== this) return this.threadReply(SIGNAL.none, '', this.threadOn(stop.cpu));
        const pair = `syscall_entry:${syscall.number.toString(16)};`;
        return this.threadReply(SIGNAL.trap, pair, this.threadFor(stop.cpu, world === 'any' ? 'any' : world));
      }
    }
  }

  /** Of several breakpoints at one place, the one of the process that was resumed. */
  private preferred(list: readonly Breakpoint[]): Breakpoint {
    const gid = this.resumed?.gid;
    return list.find((b) => (gid === undefined ? typeof b.scope !== 'number' : b.scope === gid)) ?? list[0]!;
  }

  private threadFor(cpu: Cpu, scope: Scope): Thread {
    if (typeof scope !== 'number') return this.threadOn(cpu);
    const pid = this.view.kind === 'guest' ? MACHINE_PID : GUEST_PID_BASE + scope;
    return this.threads().find((t) => t.pid === pid && t.cpu === cpu) ?? this.threadOn(cpu);
  }

  /** The thread that shows what a CPU does: the CPU itself, or the guest of a guest's port. */
  private threadOn(cpu: Cpu): Thread {
    const all = this.threads();
    return all.find((t) => t.gid === undefined && t.cpu === cpu) ?? all[0]!;
  }

  /** A stop reply for `thread`, which becomes the selected one. */
  threadReply(signal: number, pairs: string, thread: Thread): string {
    this.current = thread;
    const ctx = contextOf(thread, this.control.snapshots);
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
    this.drain();
  }

  /** Lets go of the machine: breakpoints vanish, the machine runs on. */
  detach(): void {
    if (this.detached) return;
    this.detached = true;
    this.running = true;
    this.step?.finish();
    for (const cpu of this.machine.cpus) cpu.frozen = false;
    this.control.detach(this);
  }
}
