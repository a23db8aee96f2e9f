/**
 * What is kept of the past of a machine: copies, the journal of what came from outside, what is outside and goes with it, and how far
 * the machine has come.
 */
import type { Machine } from '../machine/machine.ts';
import type { Stateful } from '../state/fields.ts';
import { Copies } from './copies.ts';
import { CopyPace } from './copy-pace.ts';
import { type Entry, Journal } from './journal.ts';
import type { OutsidePast } from './outside-past.ts';

/** Most journal entries. A step of a debugger is one entry. */
const MOST_ENTRIES = 1_000_000;

export class KeptPast {
  readonly copied: Copies;
  readonly journal: Journal;
  readonly pace = new CopyPace();
  /** Is a past kept? */
  on = false;
  /** Is the journal that of a recorded run, which nothing changes? */
  fixed = false;
  /** The latest position reached. Before it, the machine replays. */
  frontier = 0;
  /** A copy is to be made before the machine runs on. */
  due = true;
  /** A debugger has changed the machine, and the change is neither in a copy nor in the journal yet. */
  changed = false;
  /** How often the past has become another one, or has been given another future. */
  versions = 0;
  private readonly machine: Machine;
  private readonly outside: readonly OutsidePast[];
  /** The position before which nothing is kept of what is outside. */
  private forgotten = 0;

  /**
   * @param extras data of observers that must be restored together with the machine
   * @param budget bytes of memory for copies and input
   */
  constructor(machine: Machine, extras: readonly Stateful[], budget: number, outside: readonly OutsidePast[]) {
    this.machine = machine;
    this.outside = outside;
    this.journal = new Journal((change) => this.copied.release(change));
    this.copied = new Copies(machine, extras, {
      budget,
      others: () => outside.reduce((sum, part) => sum + part.bytes, this.journal.inputBytes),
      lost: () => this.begin(),
    });
  }

  /** Instructions that all CPUs have executed. */
  get position(): number {
    return this.machine.instructions;
  }

  /** Is the machine before its latest position? Then its output was printed before. */
  get repeating(): boolean {
    return this.on && this.position < this.frontier;
  }

  /** Nothing is known of the past. */
  begin(): void {
    this.versions++;
    if (!this.fixed) {
      this.journal.begin();
      this.frontier = 0;
    }
    for (const part of this.outside) part.begin(this.on ? () => this.position : undefined);
    this.due = this.on;
    this.changed = false;
  }

  /** From a copy of the present, the way back to it is short. It may need the memory of the oldest copy. */
  keepPresent(): void {
    if (this.changed || (this.on && !this.repeating && this.position !== this.copied.newest?.position))
      this.checkpoint();
  }

  /** Why the machine cannot go on from this moment in another way than it did; undefined when it can. */
  get obstacle(): string | undefined {
    return this.outside.find((part) => part.obstacle !== undefined)?.obstacle;
  }

  /** Adds what happens now to the journal. @throws Error where the machine cannot go on from here */
  note(entry: Entry): void {
    this.forgetFuture();
    this.journal.add(entry);
    // When a copy is made, old ones may have to be removed.
    if (this.journal.length > MOST_ENTRIES) this.due = true;
  }

  /** The machine goes on from here in another way than it did. @throws Error where it cannot */
  forgetFuture(): void {
    const { obstacle } = this;
    if (obstacle !== undefined) throw new Error(obstacle);
    this.versions++;
    for (const part of this.outside) part.fork();
    this.journal.forgetFuture();
    if (this.position < this.frontier) this.frontier = this.position;
    const { all } = this.copied;
    let last = all.length - 1;
    while (last > 0 && (all[last]!.position > this.position || all[last]!.journal > this.journal.next)) last--;
    if (last < all.length - 1) this.copied.forgetAfter(last);
  }

  /** Copies the machine here, unless a copy is there already. */
  checkpoint(): void {
    this.due = false;
    const { position, copied, journal } = this;
    if (copied.overfull && !this.repeating && !this.changed) {
      // Not even the way from the last copy to here can be kept.
      copied.clear();
      this.begin();
      this.due = false;
    }
    const began = this.machine.options.runtime.now();
    const before = copied.all[copied.indexBefore(position)];
    if (before?.position === position && before.journal === journal.next && position < this.frontier && !this.changed)
      return;
    this.frontier = Math.max(this.frontier, position);
    if (this.changed) {
      journal.add({ at: position, kind: 'change', change: copied.takeChanged(journal.next + 1) });
      this.changed = false;
    } else copied.take(journal.next);
    while (!this.fixed && journal.length > MOST_ENTRIES && copied.forgetOldest()) this.trimJournal();
    this.trimJournal();
    this.pace.paid(this.machine.options.runtime.now() - began, copied.pagesOfLast);
  }

  /** Removes the journal entries that no copy needs any more. */
  trimJournal(): void {
    const { journal: gone = 0, position = 0 } = this.copied.oldest ?? {};
    if (position > this.forgotten) for (const part of this.outside) part.forgetBefore(position);
    this.forgotten = position;
    if (gone === 0 || this.fixed) return;
    this.journal.forgetOldest(gone);
    for (const copy of this.copied.all) copy.journal -= gone;
  }
}
