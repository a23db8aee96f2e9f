/**
 * RAM at several moments ("marks") of a run. Nothing is copied when a mark is made. What a page held is kept when the page changes for
 * the first time after the newest mark, so that a mark costs what has changed since then.
 *
 * Each mark has a log: pages with the content that they had at the mark, if they were changed before the next one. A page has at a mark
 * what the first log from there on says, otherwise what RAM holds now. When RAM has gone back to an earlier mark, pages get their earlier
 * content when they are used ({@link PendingPages}); until then they hold what they held at the newest mark, or the newest log has it: that log
 * also takes the pages that RAM does not hold any more as they were at the newest mark.
 */
import { PAGE } from '../memory/layout.ts';
import type { PageKeeper } from '../memory/page-guard.ts';
import type { Ram } from '../memory/ram.ts';
import { PageContents } from './page-contents.ts';
import { PageStore } from './page-store.ts';

/** By the number of a page, the number of its content in the store. */
type Log = Map<number, number>;

/** Pages with a content that is kept. */
export type KeptPages = ReadonlyMap<number, number>;

/** The place of a content that is looked for. */
const UNKNOWN = -2;

/** What goes back with RAM. */
export interface PagesAround {
  /** A page of RAM, by physical address, gets an earlier content. */
  readonly changed: (pa: number) => void;
  /** Pages have closed: no store may go past {@link Ram.touch}. */
  readonly closed: () => void;
  /** More is kept than may be. */
  readonly crowded: () => void;
  /** All of RAM is about to be replaced: there are no marks any more. */
  readonly lost: () => void;
}

/** Do two pages hold the same? They are aligned. */
function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  if (!a) return false;
  const [p, q] = [a, b].map((page) => new Int32Array(page.buffer, page.byteOffset, PAGE / 4)) as [
    Int32Array,
    Int32Array,
  ];
  for (let i = 0; i < PAGE / 4; i++) if (p[i] !== q[i]) return false;
  return true;
}

export class PagePast implements PageKeeper {
  private readonly ram: Ram;
  private readonly around: PagesAround;
  private store = new PageStore();
  private logs: Log[] = [];
  /** The mark that RAM has come from: what has not changed since the guard closed is as it was there. */
  private base = 0;
  /**
   * Where RAM is not at the newest mark: the content that pages had at the mark `base`, of those that have one in the newest log or are
   * pending.
   */
  private readonly known = new PageContents();
  /** Work space of {@link restore}. */
  private readonly wanted = new PageContents();
  /** Bytes beyond which {@link PagesAround.crowded} is called. */
  limit = Number.POSITIVE_INFINITY;

  constructor(ram: Ram, around: PagesAround) {
    this.ram = ram;
    this.around = around;
    ram.pending.bring = (page) => this.bring(page);
  }

  /** The number of marks. */
  get count(): number {
    return this.logs.length;
  }

  /** The mark that RAM has come from, which cannot be removed. */
  get from(): number {
    return this.base;
  }

  /** Bytes of the contents that are kept. */
  get bytes(): number {
    return this.store.bytes;
  }

  /** The number of pages that the log of a mark has. */
  pagesOf(mark: number): number {
    return this.logs[mark]!.size;
  }

  /** Forgets all marks. */
  clear(): void {
    this.ram.pending.settleAll();
    this.ram.guard.tell(undefined);
    this.store = new PageStore();
    this.logs = [];
    this.known.clear();
    this.base = 0;
  }

  replaced(): void {
    this.clear();
    this.around.lost();
  }

  /** A page is about to change for the first time since the guard closed. */
  touched(page: number): void {
    this.ram.pending.settle(page);
    const newest = this.logs.at(-1)!;
    let content = newest.get(page);
    if (content === undefined) {
      content = this.keepPresent(page);
      newest.set(page, content);
    }
    if (this.base < this.logs.length - 1 && !this.known.has(page)) this.known.set(page, this.store.share(content));
    if (this.store.bytes > this.limit) this.around.crowded();
  }

  /** Keeps what a page holds. */
  private keepPresent(page: number): number {
    const known = this.ram.guard.changed(page) ? undefined : this.known.get(page);
    return known === undefined ? this.store.keep(this.ram.page(page)) : this.store.share(known);
  }

  /** A new mark behind all others: RAM as it is. */
  mark(): void {
    const { guard, pending } = this.ram;
    pending.settleAll();
    if (!guard.on) guard.tell(this);
    for (const page of guard.opened) this.forgetKnown(page);
    this.logs.push(new Map());
    this.base = this.logs.length - 1;
    this.close();
  }

  /**
   * A mark between two others: RAM as it is. RAM has run from one of the marks before it up to here.
   * @param at its number; that of the mark before it is one less
   */
  insert(at: number): void {
    const before = this.logs[at - 1]!;
    const log: Log = new Map();
    for (const page of this.ram.guard.opened) {
      // What has not changed since the mark before it is shared with it.
      const content = before.has(page)
        ? this.store.keep(this.ram.page(page))
        : this.store.share(this.contentAt(page, at));
      log.set(page, content);
      this.setKnown(page, content);
    }
    const opened = new Set(this.ram.guard.opened);
    for (const [page, content] of before) {
      if (opened.has(page)) continue;
      log.set(page, content);
      before.delete(page);
    }
    this.logs.splice(at, 0, log);
    this.base = at;
    this.close();
  }

  /** The content of a page at a mark, from the logs from there on. */
  private contentAt(page: number, mark: number): number {
    for (let n = mark; n < this.logs.length; n++) {
      const content = this.logs[n]!.get(page);
      if (content !== undefined) return content;
    }
    throw new Error('history: a page that has changed is in no log');
  }

  /** RAM becomes as it was at a mark. */
  restore(mark: number): void {
    this.wanted.clear();
    if (mark <= this.base) this.wantBack(mark);
    else this.wantForward(mark);
    this.wanted.each((page, content) => {
      if (content === UNKNOWN) this.asNewest(page);
      else this.owe(page, content);
    });
    this.base = mark;
    const newest = this.logs.length - 1;
    if (this.ram.exchanges || mark === newest) this.ram.pending.settleAll();
    if (mark === newest) {
      // RAM holds again what it held at the newest mark.
      this.known.each((_, content) => this.store.release(content));
      this.known.clear();
      this.releaseAll(this.logs[newest]!);
    }
    this.close();
  }

  /** Collects the pages that may differ between RAM and an earlier mark, with their content there. */
  private wantBack(mark: number): void {
    const { wanted, base } = this;
    const newest = this.logs.length - 1;
    for (let n = mark; n < base; n++)
      this.logs[n]!.forEach((content, page) => {
        wanted.add(page, content);
      });
    const there = base === newest ? this.logs[newest]! : this.known;
    for (const page of this.ram.guard.opened) if (!wanted.has(page)) wanted.set(page, there.get(page)!);
  }

  /** The same for a later mark. What no log from there on has is not different. */
  private wantForward(mark: number): void {
    const { wanted } = this;
    let missing: number[] = [];
    const ask = (page: number): void => {
      if (wanted.add(page, UNKNOWN)) missing.push(page);
    };
    for (const page of this.ram.guard.opened) ask(page);
    for (let n = this.base; n < mark; n++)
      this.logs[n]!.forEach((_, page) => {
        ask(page);
      });
    let left = missing.length;
    for (let n = mark; n < this.logs.length && left > 0; n++) {
      const log = this.logs[n]!;
      if (log.size < left) {
        log.forEach((content, page) => {
          if (wanted.get(page) !== UNKNOWN) return;
          wanted.set(page, content);
          left--;
        });
        continue;
      }
      missing = missing.filter((page) => {
        if (wanted.get(page) !== UNKNOWN) return false;
        const content = log.get(page);
        if (content !== undefined) wanted.set(page, content);
        return content === undefined;
      });
      left = missing.length;
    }
  }

  /** No log has the page: unless it was pending, it holds already what it held at the mark. */
  private asNewest(page: number): void {
    if (!this.ram.pending.has(page)) return;
    this.ram.pending.cancel(page);
    this.forgetKnown(page);
  }

  /** A page gets an earlier content when it is used. */
  private owe(page: number, content: number): void {
    const { guard, pending } = this.ram;
    if (!guard.changed(page) && this.known.get(page) === content) return;
    this.setKnown(page, content);
    pending.add(page);
  }

  /** A page that was pending gets its content. Code that is decoded stays where it is the same. */
  private bring(page: number): void {
    const content = this.known.get(page)!;
    const bytes = this.store.content(content);
    if (bytes && isSame(this.ram.page(page), bytes)) return;
    const newest = this.logs.at(-1)!;
    if (!newest.has(page)) newest.set(page, this.store.keep(this.ram.page(page)));
    this.around.changed(this.ram.pageAddress(page));
    this.ram.putPage(page, bytes);
  }

  /** Forgets a mark that is neither the newest nor the one that RAM has come from. Its log goes into that of the mark before it. */
  remove(mark: number): void {
    const log = this.logs[mark]!;
    const before = this.logs[mark - 1];
    for (const [page, content] of log) {
      if (!before || before.has(page)) this.store.release(content);
      else before.set(page, content);
    }
    this.logs.splice(mark, 1);
    if (mark < this.base) this.base--;
  }

  /** Forgets the marks from one on: RAM has come from one before it, and will have another future. */
  removeFrom(mark: number): void {
    if (mark >= this.logs.length) return;
    this.ram.pending.settleAll();
    while (this.logs.length > mark) this.remove(mark);
    const newest = this.logs.at(-1)!;
    const { guard } = this.ram;
    for (const [page, content] of newest) {
      // RAM holds it itself.
      if (guard.changed(page) || (this.base < mark - 1 && this.known.get(page) !== content)) continue;
      this.store.release(content);
      newest.delete(page);
    }
  }

  /** The pages that have changed since the guard closed, with what they hold now. {@link release} them. */
  keepOpened(): KeptPages {
    return new Map(this.ram.guard.opened.map((page) => [page, this.store.keep(this.ram.page(page))]));
  }

  /** RAM changes as it did when these pages were kept. */
  put(pages: KeptPages): void {
    for (const [page, content] of pages) {
      const pa = this.ram.pageAddress(page);
      this.ram.touch(pa);
      this.around.changed(pa);
      this.ram.putPage(page, this.store.content(content));
    }
  }

  release(pages: KeptPages): void {
    for (const content of pages.values()) this.store.release(content);
  }

  private setKnown(page: number, content: number): void {
    const before = this.known.get(page);
    if (before === content) return;
    this.store.share(content);
    if (before !== undefined) this.store.release(before);
    this.known.set(page, content);
  }

  private forgetKnown(page: number): void {
    const content = this.known.get(page);
    if (content === undefined) return;
    this.store.release(content);
    this.known.delete(page);
  }

  private releaseAll(log: Log): void {
    for (const content of log.values()) this.store.release(content);
    log.clear();
  }

  private close(): void {
    this.ram.guard.close();
    this.around.closed();
  }
}
