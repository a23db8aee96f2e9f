/** The copies of a machine at several positions of its history, oldest first, within a number of bytes. */
import type { Cpu } from '../cpu/cpu.ts';
import type { Machine, MachineCopy } from '../machine/machine.ts';
import { PAGE } from '../memory/layout.ts';
import type { Fields, Stateful } from '../state/fields.ts';
import { restoreShared, SharedBytes, saveShared } from '../state/shared-copy.ts';
import { type KeptPages, PagePast } from './page-past.ts';
import { leastMissed, MOST_COPIES } from './thinning.ts';

/** A copy of the machine without its RAM, and of the data of observers. */
export interface Copy {
  readonly position: number;
  readonly rest: MachineCopy;
  readonly extras: readonly Fields[];
  /** Instructions of each CPU before it. */
  readonly executed: readonly number[];
  /** Events of each CPU before it. */
  readonly events: readonly number[];
  /** Journal entries before it. */
  journal: number;
  /** Running time up to the next copy, in milliseconds; of the last copy up to the latest position. */
  work: number;
}

/** What a debugger has changed: pages of RAM, and all of the rest. */
export interface Change {
  readonly pages: KeptPages;
  readonly rest: MachineCopy;
}

/** With fewer copies than this, the oldest one goes when there is no room. */
const FEW_COPIES = 64;

/** The index of the first copy for which something is true that is true for all behind it; their number when it is true for none. */
function firstIndex(list: readonly Copy[], is: (copy: Copy) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(list[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export class Copies {
  private readonly machine: Machine;
  private readonly extras: readonly Stateful[];
  private readonly pages: PagePast;
  private rests = new SharedBytes();
  private list: Copy[] = [];
  private budget: number;
  /** Bytes that the owner keeps beside the copies. */
  private readonly others: () => number;
  /** Resets of the machine before it was copied or restored last. */
  private resets = 0;
  /** What is kept must become less, and nothing can be removed. */
  overfull = false;

  /**
   * @param extras data of observers that must be restored together with the machine
   * @param lost called when all copies are wrong, because the machine is restored from elsewhere
   */
  constructor(
    machine: Machine,
    extras: readonly Stateful[],
    { budget, others, lost }: { budget: number; others: () => number; lost: () => void },
  ) {
    this.machine = machine;
    this.extras = extras;
    this.budget = budget;
    this.others = others;
    this.pages = new PagePast(machine.ram, {
      changed: (pa) => machine.uops.written(pa, PAGE),
      closed: () => machine.closePages(),
      crowded: () => this.thin(),
      lost: () => {
        this.forgetList();
        lost();
      },
    });
  }

  /** Bytes that the copies may use. */
  get most(): number {
    return this.budget;
  }

  set most(bytes: number) {
    this.budget = bytes;
    if (this.list.length) this.makeRoom();
  }

  /** Can one more be kept without the loss of the oldest one? */
  get roomy(): boolean {
    return this.list.length > FEW_COPIES || this.bytes < this.budget / 2;
  }

  get all(): readonly Copy[] {
    return this.list;
  }

  get oldest(): Copy | undefined {
    return this.list[0];
  }

  get newest(): Copy | undefined {
    return this.list.at(-1);
  }

  /** Bytes of memory in addition to the machine. */
  get bytes(): number {
    return this.pages.bytes + this.rests.bytes(this.machine.sharedArrays()) + this.others();
  }

  /** The number of pages of RAM that are kept for the way from the last copy but one to the last one. */
  get pagesOfLast(): number {
    return this.list.length > 1 ? this.pages.pagesOf(this.list.length - 2) : 0;
  }

  /** The index of the last copy at or before a position; −1 when there is none. */
  indexBefore(position: number): number {
    return firstIndex(this.list, (copy) => copy.position > position) - 1;
  }

  /** The first copy before which a CPU has executed so many instructions. */
  firstWith(cpu: Cpu, executed: number): Copy | undefined {
    return this.list[firstIndex(this.list, (copy) => copy.executed[cpu.index]! >= executed)];
  }

  /** The first copy before which a CPU has had so many events. */
  firstWithEvents(cpu: Cpu, events: number): Copy | undefined {
    return this.list[firstIndex(this.list, (copy) => copy.events[cpu.index]! >= events)];
  }

  /** The first of the copies up to one through which a part of the machine has not changed, as far as what they share tells. */
  unchangedFrom(part: Stateful, index: number): Copy {
    const n = this.machine.parts().indexOf(part);
    const of = (copy: number): Fields => this.list[copy]!.rest.parts[n]!;
    let first = index;
    while (first > 0 && of(first - 1) === of(index)) first--;
    return this.list[first]!;
  }

  /**
   * Copies the machine at its present position, and removes what there is no room for. A copy that is there already is older.
   * @param journal the number of journal entries before it
   */
  take(journal: number): Copy {
    const { machine, list } = this;
    const position = machine.instructions;
    const before = this.indexBefore(position);
    const last = list[before];
    // A part that is the same as at the last copy has not changed in between. After a reset it may be the same again.
    const like = this.resets === machine.resets ? last : undefined;
    this.resets = machine.resets;
    const copy: Copy = {
      position,
      journal,
      rest: machine.copy(like?.rest),
      extras: this.extras.map((part, n) => saveShared(part, like?.extras[n])),
      executed: machine.cpus.map((c) => c.icount),
      events: machine.cpus.map((c) => c.events.total),
      work: 0,
    };
    this.rests.add(copy.rest);
    this.rests.add(copy.extras);
    const next = list[before + 1];
    if (next) {
      this.pages.insert(before + 1);
      const share = (position - last!.position) / (next.position - last!.position);
      copy.work = last!.work * (1 - share);
      last!.work *= share;
    } else this.pages.mark();
    list.splice(before + 1, 0, copy);
    if (last?.position === position) this.remove(before);
    this.makeRoom();
    return copy;
  }

  /** The machine becomes as it was at a copy. */
  restore(index: number): Copy {
    const copy = this.list[index]!;
    this.pages.restore(index);
    this.machine.restoreCopy(copy.rest);
    this.resets = this.machine.resets;
    this.extras.forEach((part, n) => {
      restoreShared(part, copy.extras[n]!);
    });
    return copy;
  }

  /** Forgets the copies behind one: the machine has come from it or from one before it, and has another future. */
  forgetAfter(index: number): void {
    for (const copy of this.list.splice(index + 1)) this.drop(copy);
    this.pages.removeFrom(index + 1);
    if (this.newest) this.newest.work = 0;
  }

  /** Forgets the oldest copy. @returns whether the machine has not come from it, so that it can be forgotten */
  forgetOldest(): boolean {
    if (this.list.length < 3 || this.pages.from === 0) return false;
    this.remove(0);
    return true;
  }

  clear(): void {
    this.pages.clear();
    this.forgetList();
  }

  /**
   * Takes a copy like {@link take} after a debugger has changed the machine. The last copy was taken or restored before the change.
   * @returns the change, to be repeated at this position; {@link release} it
   */
  takeChanged(journal: number): Change {
    const pages = this.pages.keepOpened();
    const { rest } = this.take(journal);
    this.rests.add(rest);
    return { pages, rest };
  }

  /** The machine changes as a debugger has changed it once. */
  repeat({ pages, rest }: Change): void {
    this.pages.put(pages);
    this.machine.restoreCopy(rest);
  }

  release({ pages, rest }: Change): void {
    this.pages.release(pages);
    this.rests.remove(rest);
  }

  private forgetList(): void {
    this.list = [];
    this.rests = new SharedBytes();
    this.overfull = false;
  }

  private drop(copy: Copy): void {
    this.rests.remove(copy.rest);
    this.rests.remove(copy.extras);
  }

  private remove(index: number): void {
    const [copy] = this.list.splice(index, 1);
    this.drop(copy!);
    this.pages.remove(index);
    const before = this.list[index - 1];
    if (before) before.work += copy!.work;
  }

  /** Removes copies until what is kept is within the budget. */
  private makeRoom(): void {
    while (this.list.length > MOST_COPIES && this.removeLeastMissed());
    let { bytes } = this;
    while (bytes > this.budget && (this.list.length > FEW_COPIES ? this.removeLeastMissed() : this.forgetOldest()))
      bytes = this.bytes;
    this.pages.limit = this.budget - (bytes - this.pages.bytes);
    this.overfull = bytes > this.budget;
  }

  /** The same while the machine runs, when only pages have become more. */
  private thin(): void {
    if (this.overfull) return;
    while (this.pages.bytes > this.pages.limit)
      if (!(this.list.length > FEW_COPIES ? this.removeLeastMissed() : this.forgetOldest())) {
        this.overfull = true;
        return;
      }
  }

  private removeLeastMissed(): boolean {
    const n = leastMissed(
      this.list.map((c) => c.work),
      (index) => index === this.pages.from,
    );
    if (n === undefined) return false;
    this.remove(n);
    return true;
  }
}
