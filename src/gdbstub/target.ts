/**
 * What packets, monitor commands and the helpers of a session may ask of the machine that their client debugs. Each interface is one
 * concern; a packet takes the whole {@link Target} and uses what it needs. session.ts implements it of parts that are one concern each.
 */
import type { Cpu } from '../emu/cpu/cpu.ts';
import type { Scope } from '../emu/debug/breakpoints.ts';
import type { DebugContext } from '../emu/debug/context.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { Client, Stop } from '../emu/debug/stop.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import type { Machine } from '../emu/machine/machine.ts';
import type { Steps } from '../emu/replay/steps.ts';
import type { StepClass } from './soft-step.ts';
import type { Thread, ThreadPattern, View } from './threads.ts';

/** The machine itself. */
export interface MachineTarget {
  readonly control: RunControl;
  readonly machine: Machine;
  readonly symbolize: Symbolizer;
}

/** Processes and threads, and which of them the client means. */
export interface ThreadTarget {
  readonly view: View;
  /** The thread that register and memory packets mean. */
  current: Thread;
  /** Its registers and memory. */
  readonly context: DebugContext;
  /** The guest that the selected thread shows, or that its CPU has: for address windows. */
  readonly guestContext: DebugContext | undefined;
  /** Processes attached beside process 1: guests with the vCPUs that the client has been told of, and the host world. */
  readonly attached: Map<number, Set<number>>;
  /** Process 1 has been killed by an `attach` in the same inferior: it is listed no more, and can be attached again. */
  machineHidden: boolean;
  /** Threads that the client is told of. Never empty. */
  threads(): Thread[];
  /** The first thread a pattern names; the selected one where the pattern leaves it open. */
  find(pattern: ThreadPattern): Thread | undefined;
  /** The thread that shows a CPU for comparators of a scope. */
  threadFor(cpu: Cpu, scope: Scope): Thread;
  /** The file of a process, for gdb to load symbols from. */
  executable(pid: number): string | undefined;
}

/** How memory packets reach memory. */
export interface MemoryTarget {
  mmioRead: boolean;
  /** QEMU's physical memory mode: memory packets mean physical addresses. */
  physicalMemory: boolean;
  /** Remembers a memory read: gdb reads the instruction before it plants a step. */
  noteRead(address: bigint, length: number): void;
}

/** Breakpoints of this client. */
export interface BreakpointTarget {
  /** The scope of comparators inserted for the selected thread. */
  readonly scope: Scope;
  /** Where addresses led when breakpoints were first set there, with `bp-by physical`. */
  readonly places: Map<string, number>;
  /**
   * Inserts a breakpoint for the selected process.
   * @param conditions agent expressions: one that is not 0 stops
   * @throws Error when breakpoints go by physical address and this one leads nowhere
   */
  insertBreakpoint(va: bigint, hardware: boolean, conditions: readonly Uint8Array[]): void;
  removeBreakpoint(va: bigint, hardware: boolean): void;
}

/** Resuming, steps, stop replies. */
export interface ExecutionTarget {
  stepInto: Set<StepClass>;
  /** Steps of process 1: wherever the CPU goes, within the world where they begin, or in guests alone. */
  stepMode: 'cpu' | 'world' | 'guest';
  /** Signals that gdb does not want to see (QPassSignals). */
  passed: ReadonlySet<number>;
  /**
   * Lets the machine run on for `thread`.
   * @param single only this thread is named: other CPUs stay still
   * @param exact one instruction, whatever it does
   */
  resume(thread: Thread, single: boolean, exact: boolean): void;
  /** The answer to `?`. */
  currentStop(): string;
  /** A stop reply for `thread`, which becomes the selected one. */
  threadReply(signal: number, pairs: string, thread: Thread): string;
  /** Reverse execution has arrived at a stop. */
  arrived(stop: Stop): void;
}

/** `bs` and `bc`. */
export interface ReverseTarget {
  readonly reverse: {
    /** The thread that the client has named for it; undefined: the selected one. */
    thread: Thread | undefined;
    step(): Steps<string>;
    continue(): Steps<undefined>;
  };
}

/** `record btrace bts`. */
export interface BranchTraceTarget {
  readonly branchTrace: {
    readonly enabled: boolean;
    /** Size of the buffer that gdb asks for, in bytes. */
    bufferSize: number;
    enable(on: boolean): void;
    document(): Steps<string>;
    configuration(): string;
  };
}

/** What `monitor` switches. */
export interface TargetSettings {
  breakByPhysical: boolean;
  breakInAsid: number | undefined;
  guestsAuto: boolean;
  followWorld: boolean;
  followInterrupt: boolean;
  signals: boolean;
}

/** The connection itself. */
export interface ConnectionTarget {
  /** Features that gdb announced in qSupported. */
  features: ReadonlySet<string>;
  readonly settings: TargetSettings;
  /** Sends a packet. */
  reply(payload: string): void;
  /** Text on the user's console; only while a resume or a monitor command is outstanding. */
  output(text: string): void;
  /** Lets go of the machine: breakpoints vanish, the machine runs on. */
  detach(): void;
}

export interface Target
  extends Client,
    MachineTarget,
    ThreadTarget,
    MemoryTarget,
    BreakpointTarget,
    ExecutionTarget,
    ReverseTarget,
    BranchTraceTarget,
    ConnectionTarget {}

/** Answers a packet: a payload, undefined when it comes later (a stop reply) or never, or the work that finds it. */
export type Answer = string | undefined | Steps<string | undefined>;
export type Dispatch = (target: Target, payload: string) => Answer;
