/** What happens to a machine from outside, with its place in the run. */
import type { Cpu } from '../cpu/cpu.ts';
import type { Moment } from '../machine/machine.ts';
import type { Change } from './copies.ts';

/** Where input goes. */
export type Inlet = 'console' | 'network';

export interface InputEntry {
  readonly at: number;
  readonly kind: 'input';
  readonly to: Inlet;
  readonly bytes: Uint8Array;
  readonly moment: Moment;
}

/** The machine must be as it was when this was recorded. */
export interface CheckEntry {
  readonly at: number;
  readonly kind: 'check';
  readonly digest: string;
}

/** `at`: the instructions of the whole machine before it. */
export type Entry =
  | { readonly at: number; readonly kind: 'step'; readonly cpu: Cpu; readonly interrupts: boolean }
  | InputEntry
  | CheckEntry
  | { readonly at: number; readonly kind: 'still'; readonly cpus: readonly Cpu[] }
  | { readonly at: number; readonly kind: 'change'; readonly change: Change };

/** A run that was recorded. */
export interface RecordedRun {
  /** In the order in which they happened. */
  readonly entries: readonly (InputEntry | CheckEntry)[];
  /** Where the recording ends. */
  readonly end: number;
  /** The digest of the machine as it is, to be compared with those of the checks. */
  readonly digest: () => string;
}
