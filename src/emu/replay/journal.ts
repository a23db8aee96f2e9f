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
  /** Of the registers; undefined where a CPU was idle, because time goes by there without an instruction. */
  readonly digest: string | undefined;
  /** Of RAM, now and then. */
  readonly ram?: string | undefined;
}

/** `at`: the instructions of the whole machine before it. */
export type Entry =
  | { readonly at: number; readonly kind: 'step'; readonly cpu: Cpu; readonly interrupts: boolean }
  | InputEntry
  | CheckEntry
  | { readonly at: number; readonly kind: 'still'; readonly cpus: readonly Cpu[] }
  | { readonly at: number; readonly kind: 'change'; readonly change: Change };

/** The entries of a history in their order. A replay is at one of them. */
export class Journal {
  private list: Entry[] = [];
  /** Index of the next entry to replay. */
  next = 0;
  /** Bytes of the input in it. */
  inputBytes = 0;
  private readonly released: (change: Change) => void;

  /** @param released called with the changes of entries that are forgotten */
  constructor(released: (change: Change) => void) {
    this.released = released;
  }

  get length(): number {
    return this.list.length;
  }

  get entries(): readonly Entry[] {
    return this.list;
  }

  /** The next entry to replay. */
  get upcoming(): Entry | undefined {
    return this.list[this.next];
  }

  /** Other entries, to be replayed from the first one on. The earlier ones are not released. */
  begin(entries: readonly Entry[] = []): void {
    this.list = [...entries];
    this.next = 0;
    this.inputBytes = entries.reduce((sum, e) => sum + bytesOf(e), 0);
  }

  /** The next entry, which is replayed now. */
  take(): Entry {
    return this.list[this.next++]!;
  }

  /** Adds what happens now, behind all others. */
  add(entry: Entry): void {
    this.list.push(entry);
    this.next++;
    this.inputBytes += bytesOf(entry);
  }

  /** Forgets the entries that have not been replayed. */
  forgetFuture(): void {
    this.forget(this.list.splice(this.next));
  }

  /** Forgets the oldest entries. */
  forgetOldest(count: number): void {
    this.forget(this.list.splice(0, count));
    this.next -= count;
  }

  private forget(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.inputBytes -= bytesOf(entry);
      if (entry.kind === 'change') this.released(entry.change);
    }
  }
}

const bytesOf = (entry: Entry): number => (entry.kind === 'input' ? entry.bytes.length : 0);
