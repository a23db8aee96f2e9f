/** Digests of the pages of RAM: one of all of it, and which pages have changed since they were saved. */
import type { Machine } from '../machine/machine.ts';
import { PAGE } from '../memory/layout.ts';
import type { PageKeeper } from '../memory/page-guard.ts';
import type { Ram } from '../memory/ram.ts';

const WORDS = PAGE / 4;
/** Pages whose digests are kept together. */
const GROUP = 256;
const PRIME = 0x01000193;
const MIX = 0x9e3779b1;
const [FIRST_A, FIRST_B] = [0x811c9dc5, 0xcbf29ce4];

/**
 * The digest of the page that was looked at last, in two halves; of a page of zeros both are 0. FNV-1a over 32-bit words, in two
 * lanes.
 */
let [low, high] = [0, 0];
let [zeroLow, zeroHigh] = [0, 0];

function look(page: Uint8Array): void {
  const words = new Uint32Array(page.buffer, page.byteOffset, WORDS);
  let [a, b] = [FIRST_A, FIRST_B];
  for (let n = 0; n < WORDS; n++) {
    const w = words[n]!;
    a = Math.imul(a ^ w, PRIME);
    b = Math.imul(b ^ ((w << 16) | (w >>> 16)), PRIME);
  }
  [low, high] = [(a ^ zeroLow) >>> 0, (b ^ zeroHigh) >>> 0];
}

look(new Uint8Array(PAGE));
[zeroLow, zeroHigh] = [low, high];

/** A digest of pages in any order. Pages of zeros add nothing. */
class Sum {
  private a = 0;
  private b = 0;

  /** @param sign 1: the page is added, −1: it is taken away */
  add(page: number, l: number, h: number, sign: 1 | -1 = 1): void {
    if (l === 0 && h === 0) return;
    const mixed = Math.imul(Math.imul(page ^ l, PRIME) ^ h, MIX);
    this.a = (this.a + sign * mixed) | 0;
    this.b = (this.b + sign * Math.imul(mixed ^ (mixed >>> 15) ^ l, PRIME)) | 0;
  }

  get text(): string {
    return [this.a, this.b].map((x) => (x >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/** A digest of all of RAM. Pages that were never touched are zero. About half a millisecond for each MiB that was touched. */
export function ramDigest(ram: Ram): string {
  const sum = new Sum();
  for (const [n, content] of ram.touchedPages()) {
    look(content);
    sum.add(n, low, high);
  }
  return sum.text;
}

/** Pages that make one state of RAM of another. */
export interface PageChanges {
  /** All pages that are not zero, instead of those that have changed. */
  readonly whole: boolean;
  readonly pages: Uint32Array;
  /** Of the pages, one after the other. */
  readonly content: Uint8Array;
  /** Pages that have become zero. */
  readonly zeros: Uint32Array;
}

/** Pages as they were saved last. After the first time, only those that were stored to are looked at. */
export class SavedPages implements PageKeeper {
  private readonly machine: Machine;
  /** The digests, by number of a group of pages, two words for each page. */
  private readonly groups = new Map<number, Uint32Array>();
  private readonly sum = new Sum();
  /** Pages that were saved since all were, and how many those were. */
  private since = Number.POSITIVE_INFINITY;
  private all = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  touched(): void {}

  replaced(): void {
    this.machine.ram.guard.tell(undefined);
  }

  /** Copies the pages that have changed since the last call, or all of them where that is not much more. @returns them, and the digest of RAM */
  changes(): PageChanges & { readonly digest: string } {
    const { machine, sum } = this;
    const { ram } = machine;
    const changed: number[] = [];
    const zeros: number[] = [];
    for (const n of this.suspects()) {
      const content = ram.page(n);
      if (!content) continue;
      look(content);
      if (this.put(n)) (low === 0 && high === 0 ? zeros : changed).push(n);
    }
    if (!ram.guard.isKeptBy(this)) ram.guard.tell(this);
    ram.guard.close();
    machine.closePages();
    this.since += changed.length;
    const whole = this.since > this.all;
    const present = whole ? this.present() : [];
    if (whole) [this.since, this.all] = [0, present.length];
    const pages = Uint32Array.from(whole ? present : changed);
    const content = new Uint8Array(pages.length * PAGE);
    pages.forEach((n, k) => {
      content.set(ram.page(n)!, k * PAGE);
    });
    return { whole, pages, content, zeros: Uint32Array.from(whole ? [] : zeros), digest: sum.text };
  }

  /** Pages that may have changed. */
  private *suspects(): Iterable<number> {
    const { ram } = this.machine;
    if (ram.guard.isKeptBy(this)) yield* ram.guard.opened;
    else for (const [n] of ram.touchedPages()) yield n;
  }

  /** Pages that are not zero. */
  private present(): number[] {
    const out: number[] = [];
    for (const [number, digests] of this.groups)
      for (let k = 0; k < GROUP; k++)
        if (digests[2 * k] !== 0 || digests[2 * k + 1] !== 0) out.push(number * GROUP + k);
    return out.sort((a, b) => a - b);
  }

  /** Notes the digest of the page that was looked at last. @returns whether it was another one before */
  private put(page: number): boolean {
    const [number, at] = [Math.floor(page / GROUP), 2 * (page % GROUP)];
    let digests = this.groups.get(number);
    if (!digests) this.groups.set(number, (digests = new Uint32Array(2 * GROUP)));
    const [l, h] = [digests[at]!, digests[at + 1]!];
    if (l === low && h === high) return false;
    this.sum.add(page, l, h, -1);
    this.sum.add(page, low, high);
    digests[at] = low;
    digests[at + 1] = high;
    return true;
  }
}

/** The pages of a state that is made of several changes, the oldest first, which is a whole one. Those that are zero are left out. */
export function pagesOf(changes: readonly PageChanges[]): Map<number, Uint8Array> {
  const out = new Map<number, Uint8Array>();
  for (const { pages, content, zeros } of changes) {
    pages.forEach((n, k) => {
      out.set(n, content.subarray(k * PAGE, (k + 1) * PAGE));
    });
    for (const n of zeros) out.delete(n);
  }
  return out;
}
