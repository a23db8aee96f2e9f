/** The interface between run control and its front ends: why the machine has stopped or ended, and whether a client wants it to run. */
import type { Cpu } from '../cpu/cpu.ts';
import type { CsrWriting, TlbChange } from '../cpu/observer.ts';
import type { Machine } from '../machine/machine.ts';
import type { Steps } from '../runtime/steps.ts';
import type { Stateful } from '../state/fields.ts';
import type { WatchHit } from './breakpoints.ts';
import type { Catch } from './catches.ts';
import type { Loop } from './loops.ts';
import type { Vm } from './vms.ts';

/** Why the machine has stopped. */
export type Stop =
  | { readonly kind: 'breakpoint'; readonly cpu: Cpu; readonly world: number; readonly va: bigint; readonly pa: number }
  | { readonly kind: 'watch'; readonly cpu: Cpu; readonly world: number; readonly hit: WatchHit }
  | { readonly kind: 'step'; readonly cpu: Cpu }
  | {
      readonly kind: 'catch';
      readonly cpu: Cpu;
      readonly caught: Catch;
      readonly text: string;
      readonly write?: CsrWriting;
      readonly change?: TlbChange;
    }
  | { readonly kind: 'loop'; readonly cpu: Cpu; readonly loop: Loop }
  /** Reverse execution has reached the beginning of the history. */
  | { readonly kind: 'beginning'; readonly cpu: Cpu }
  /** A recorded run has come to its end. */
  | { readonly kind: 'end'; readonly cpu: Cpu }
  | { readonly kind: 'interrupt' };

/** Why a run has ended. */
export type End =
  | { readonly kind: 'poweroff' }
  | { readonly kind: 'limit'; readonly what: 'instructions' | 'time' }
  | { readonly kind: 'died'; readonly reason: string }
  /** A recorded run has come to its end, and nobody debugs it. */
  | { readonly kind: 'replayed' }
  /** Ended from outside; `orderly`: by a client that controls the machine, and not by a signal. */
  | { readonly kind: 'quit'; readonly orderly?: boolean };

/** A front end. */
export interface Client {
  /** False while the client wants the machine to stay stopped. */
  running: boolean;
  stopped(stop: Stop): void;
  ended(end: End): void;
  /** A program has halted, in words: the machine goes on. */
  halted?(text: string): void;
  /** A VM has been entered for the first time. */
  firstEntry?(cpu: Cpu, vm: Vm): void;
}

/**
 * Controls how a CPU goes on while a client steps it; see gdbstub/soft-step.ts.
 * @returns what to do next: run freely, step again, or stop
 */
export interface Stepper {
  readonly cpu: Cpu;
  /** True: a single instruction takes pending interrupts. False: they stay pending. */
  readonly interrupts?: boolean;
  /** Called after each single instruction, and at each VM entry and exit while running freely. */
  next(event: 'stepped' | 'entered' | 'left'): 'run' | 'step' | 'stop';
}

export interface Limits {
  readonly maxInstructions?: number;
  readonly timeoutSeconds?: number;
}

/** Files of whole machines. */
export interface SnapshotStore {
  /**
   * @param observers parts of a debugger that have seen what the machine did
   * @returns bytes written
   * @throws Error when it cannot be written
   */
  save(machine: Machine, name: string, observers: readonly Stateful[]): Steps<number>;
  /** @throws Error when it cannot be read, or fits another machine: then nothing has changed */
  load(machine: Machine, name: string, observers: readonly Stateful[]): Steps<void>;
}

/** An observer of memory accesses. It says which it must be told of: those take the slow path. */
export interface MemoryObserver {
  /** Must every access of this CPU be reported, also loads? Software TLB entries that were made while it was false stay in use. */
  watchesAll(cpu: Cpu): boolean;
  /** An access to a virtual address comes next. */
  accessed(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean): void;
  /** A change of RAM comes next. Stores to pages that {@link recordsStores} does not want may be left out. */
  stored(cpu: Cpu, pa: number, size: number): void;
  /**
   * Must every store of this CPU to a physical page be reported? False holds until cached translations are dropped
   * (`FastTlb.clearWrites`).
   */
  recordsStores(cpu: Cpu, page: number): boolean;
}

/** Called during a replay for each breakpoint, watchpoint and catch that is met, with its position. */
export type Scanner = (position: number, stop: Stop) => void;

/** Frames from a network outside the machine. They wait there until the machine takes them. */
export interface FrameSource {
  /** The oldest frame that waits; undefined: there is none. */
  next(): Uint8Array | undefined;
  /** May more arrive? */
  readonly live: boolean;
}
