/** What run control and its front ends say to each other: why the machine stopped or ended, and who wants it to run. */
import type { Cpu } from '../cpu/cpu.ts';
import type { Machine } from '../machine/machine.ts';
import type { WatchHit } from './breakpoints.ts';
import type { Catch } from './catches.ts';
import type { Loop } from './loops.ts';

/** Why the machine has stopped. */
export type Stop =
  | { readonly kind: 'breakpoint'; readonly cpu: Cpu; readonly world: number; readonly va: bigint; readonly pa: number }
  | { readonly kind: 'watch'; readonly cpu: Cpu; readonly world: number; readonly hit: WatchHit }
  | { readonly kind: 'step'; readonly cpu: Cpu }
  | { readonly kind: 'catch'; readonly cpu: Cpu; readonly caught: Catch; readonly text: string }
  | { readonly kind: 'loop'; readonly cpu: Cpu; readonly loop: Loop }
  /** Reverse execution has come to the end of what is kept. */
  | { readonly kind: 'beginning'; readonly cpu: Cpu }
  | { readonly kind: 'interrupt' };

/** Why a run has ended. */
export type End =
  | { readonly kind: 'poweroff' }
  | { readonly kind: 'limit'; readonly what: 'instructions' | 'time' }
  | { readonly kind: 'died'; readonly reason: string }
  | { readonly kind: 'quit' };

/** A front end. */
export interface Client {
  /** False while the client wants the machine to stand still. */
  running: boolean;
  stopped(stop: Stop): void;
  ended(end: End): void;
  /** A guest has been entered for the first time. */
  firstEntry?(cpu: Cpu, gid: number): void;
}

/**
 * Advances a CPU under a client's special regime (single steps); see gdbstub/soft-step.ts.
 * @returns what to do next: go on with free running, step again, or stop
 */
export interface Stepper {
  readonly cpu: Cpu;
  /** Take pending interrupts at the single instruction instead of holding them back. */
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
  /** @returns bytes written @throws Error when it cannot be written */
  save(machine: Machine, name: string): number;
  /** @throws Error when it cannot be read, or fits another machine */
  load(machine: Machine, name: string): void;
}

/** Someone who keeps account of memory: while there is one, stores go the slow way. */
export interface MemoryObserver {
  /** Must all accesses of this CPU be told, loads too? Software TLB entries made while it says no stay in use. */
  watchesAll(cpu: Cpu): boolean;
  /** An access by virtual address is about to be tried. */
  accessed(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean): void;
  /** RAM is about to change. */
  stored(cpu: Cpu, pa: number, size: number): void;
}

/** What is asked of a stretch of the past that runs again: called with the moment of each breakpoint, watch and catch. */
export type Scanner = (position: number, stop: Stop) => void;
