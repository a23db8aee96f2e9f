/** Memory reads and inserted breakpoints of a client since the last stop. They show whether gdb does a step. */
import { readVirtual } from '../emu/debug/debug-memory.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import { u32At } from '../emu/formats/little-endian.ts';
import { beginsAtomicSequence, type JournalEntry, predictNext, recognizeStep } from './soft-step.ts';
import { contextOf, type Thread } from './threads.ts';

/** At least this many reads and insertions since the last stop are remembered, to recognize a step. */
const JOURNAL_KEPT = 4096;

export class StepJournal {
  private readonly control: RunControl;
  private entries: JournalEntry[] = [];
  /** Software breakpoints that are inserted now, as `pid:address`. */
  private readonly inserted = new Set<string>();
  /** The same at the last resume. */
  private before: ReadonlySet<string> = new Set();

  constructor(control: RunControl) {
    this.control = control;
  }

  /** Remembers a memory read: gdb reads the instruction before it inserts the breakpoint of a step. */
  read(address: bigint, length: number): void {
    this.note({ kind: 'read', address, length });
  }

  inserts(pid: number, address: bigint): void {
    this.inserted.add(`${pid}:${address}`);
    this.note({ kind: 'insert', address });
  }

  removes(pid: number, address: bigint): void {
    this.inserted.delete(`${pid}:${address}`);
  }

  /**
   * The address at which the step that is about to begin will stop. Undefined for an ordinary continue.
   * @param single the resume names one thread only
   */
  planted(thread: Thread, single: boolean): bigint | undefined {
    const { control } = this;
    const ctx = contextOf(thread, control);
    const pc = ctx.pc();
    const read = (at: bigint): number | undefined => u32At(readVirtual(control.machine, ctx, at, 4));
    // The step over an LL/SC sequence ends after the sc. It is a run to a breakpoint, not one instruction.
    if (beginsAtomicSequence(pc, read)) return undefined;
    const next = predictNext(ctx, pc, read);
    const inserted = addresses(this.inserted, thread.pid);
    const before = addresses(this.before, thread.pid);
    return recognizeStep({ pc, next, journal: this.entries, inserted, before, single });
  }

  /** Does a process have a breakpoint now that it did not have at the last resume? */
  insertedAnew(pid: number): boolean {
    return [...this.inserted].some((k) => k.startsWith(`${pid}:`) && !this.before.has(k));
  }

  /** The machine continues. */
  resumed(): void {
    this.before = new Set(this.inserted);
    this.entries = [];
  }

  /** The machine has stopped. */
  stopped(): void {
    this.entries = [];
  }

  private note(entry: JournalEntry): void {
    if (this.entries.length >= 2 * JOURNAL_KEPT) this.entries = this.entries.slice(-JOURNAL_KEPT);
    this.entries.push(entry);
  }
}

/** The addresses of one process among keys `pid:address`. */
function addresses(keys: ReadonlySet<string>, pid: number): Set<bigint> {
  const prefix = `${pid}:`;
  return new Set([...keys].filter((k) => k.startsWith(prefix)).map((k) => BigInt(k.slice(prefix.length))));
}
