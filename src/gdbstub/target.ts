/**
 * The interfaces through which packets, monitor commands and the helpers of a session use the debugged machine. Each
 * interface is one concern. A packet takes the whole {@link Target} and uses what it needs. session.ts implements it
 * and delegates to its parts.
 */
import type { Cpu } from '../emu/cpu/cpu.ts';
import type { Scope } from '../emu/debug/breakpoints.ts';
import type { DebugContext } from '../emu/debug/context.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { Client, Stop } from '../emu/debug/stop.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import type { Machine } from '../emu/machine/machine.ts';
import type { Steps } from '../emu/runtime/steps.ts';
import type { BreakpointCode } from './agent-expression.ts';
import type { FirstProcess } from './first-process.ts';
import type { KnownRegisters } from './known-registers.ts';
import type { StepClass } from './soft-step.ts';
import type { Thread, ThreadPattern, View } from './threads.ts';
import type { UnknownCode } from './unknown-code.ts';

/** The machine itself. */
export interface MachineTarget {
  readonly control: RunControl;
  readonly machine: Machine;
  readonly symbolize: Symbolizer;
}

/** Processes and threads, and the selection of the client. */
export interface ThreadTarget {
  readonly view: View;
  /** The selected thread: register and memory packets act on it. */
  current: Thread;
  /** Its registers and memory. */
  readonly context: DebugContext;
  /** The guest that the selected thread shows, or the guest on its CPU: for address windows. */
  readonly guestContext: DebugContext | undefined;
  /**
   * Processes that are attached in addition to process 1: guests with the vCPUs that the client knows, and the host
   * world.
   */
  readonly attached: Map<number, Set<number>>;
  /** Process 2 is listed because of `monitor host-view on`; the client has not attached it. */
  hostView: boolean;
  /** The client has detached from process 1, or killed it, as an `attach` in the same inferior does. It can be attached again. */
  machineHidden: boolean;
  /** Threads that the client sees, or saw when it was attached. Never empty. */
  threads(): Thread[];
  /** Threads of the processes that the client is attached to: none after it has left them all, or the machine has ended. */
  listed(): Thread[];
  /** The first thread that matches a pattern. Parts that the pattern leaves open are those of the selected thread. */
  find(pattern: ThreadPattern): Thread | undefined;
  /** The thread to report when a CPU reaches a comparator with this scope. */
  threadFor(cpu: Cpu, scope: Scope): Thread;
  /** The file of a process, from which gdb loads symbols. */
  executable(pid: number): string | undefined;
}

/** How memory packets reach memory. */
export interface MemoryTarget {
  mmioRead: boolean;
  /** QEMU's physical memory mode: the addresses of memory packets are physical. */
  physicalMemory: boolean;
  /** The document that `qXfer` has begun to send last. */
  document: { readonly name: string; readonly text: string } | undefined;
  mmioWrite: boolean;
  /** Notes a memory read: gdb reads the instruction before it inserts the breakpoint of a step. */
  noteRead(address: bigint, length: number): void;
  /** What is answered for code at PC that cannot be read. */
  readonly unknownCode: UnknownCode;
}

/** Breakpoints of this client. */
export interface BreakpointTarget {
  /** The scope of comparators inserted for the selected thread. */
  readonly scope: Scope;
  /** With `bp-by physical`: the physical addresses of breakpoints when they were first set. */
  readonly places: Map<string, number>;
  /**
   * Inserts a breakpoint for the selected process.
   * @param code its conditions (it stops when one of them is not 0), and what it does in the place of a stop
   * @throws Error with `bp-by physical`, when the address has no translation
   */
  insertBreakpoint(va: bigint, hardware: boolean, code: BreakpointCode): void;
  removeBreakpoint(va: bigint, hardware: boolean): void;
}

/** How a client resumes. */
export interface Resume {
  /** Only one thread is named, so other CPUs do not run. */
  readonly single: boolean;
  /** Exactly one instruction. */
  readonly exact: boolean;
  /** Is a thread among those that the client resumes? gdb aborts when another one reports the stop. */
  readonly covers: (thread: Thread) => boolean;
}

/** Resumes, steps, stop replies. */
export interface ExecutionTarget {
  /** What the client has been told of the registers of its threads. */
  readonly known: KnownRegisters;
  /** The process that the client has found first, and the one that it looks at. */
  readonly firstProcess: FirstProcess;
  /** gdb asks for the list of threads, as it does whenever it shows a stop to the user (infrun.c, `normal_stop`). */
  askedForThreads(): void;
  stepInto: Set<StepClass>;
  /** How process 1 steps: into every world, only in the world where the step begins, or only in guests. */
  stepMode: 'cpu' | 'world' | 'guest';
  /** Signals that gdb wants to ignore (QPassSignals). */
  passed: ReadonlySet<number>;
  /** Lets the machine run for `thread`. */
  resume(thread: Thread, how: Resume): void;
  /** The answer to `?`. */
  currentStop(): string;
  /** A stop reply for `thread`, which becomes the selected one. */
  threadReply(signal: number, pairs: string, thread: Thread): string;
  /** Reverse execution has reached a stop. */
  arrived(stop: Stop): void;
}

/** `bs` and `bc`. */
export interface ReverseTarget {
  readonly reverse: {
    /** The thread that the client has named for it. Undefined: the selected one. */
    thread: Thread | undefined;
    /** The threads that the client has named for it. */
    pattern: ThreadPattern | undefined;
    step(): Steps<string>;
    continue(): Steps<undefined>;
  };
}

/** `record btrace bts`. */
export interface BranchTraceTarget {
  readonly branchTrace: {
    readonly enabled: boolean;
    /** The size of the buffer that gdb asks for, in bytes. */
    bufferSize: number;
    enable(on: boolean): void;
    document(): Steps<string>;
    configuration(): string;
  };
}

/** The settings that `monitor` commands change. */
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
  /** The client has detached, and waits for nothing. */
  readonly detached: boolean;
  /** Features that gdb announced in qSupported. */
  features: ReadonlySet<string>;
  readonly settings: TargetSettings;
  /** Sends a packet. */
  reply(payload: string): void;
  /** Prints a text on the console of the user; only while a resume or a monitor command is unanswered. */
  output(text: string): void;
  /** The answer to a monitor command with this text. */
  lastOutput(text: string): string;
  /** Detaches from the machine: its breakpoints are removed, and the machine continues. */
  detach(): void;
  /** The client attaches after it has left its last process: the machine stops for it again. */
  attachAgain(): void;
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

/**
 * Answers a packet.
 * @returns a payload; undefined when the answer comes later (a stop reply) or never; or work that gives the payload
 */
export type Answer = string | undefined | Steps<string | undefined>;
export type Dispatch = (target: Target, payload: string) => Answer;
