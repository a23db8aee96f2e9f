/** Digests of the pages of RAM: one of all of it, and which pages have changed since they were saved. */
import { PAGE } from '../memory/layout.ts';
import type { Ram } from '../memory/ram.ts';

const WORDS = PAGE / 4;
/** Pages whose digests are kept together. */
const GROUP = 256;
const PRIME = 0x01000193;
const [FIRST_A, FIRST_B] = [0x811c9dc5, 0xcbf29ce4];

/** The digest of the page that was looked at last, in two halves. FNV-1a over 32-bit words, in two lanes. */
let [low, high] = [0, 0];

function look(page: Uint8Array): void {
  const words = new Uint32Array(page.buffer, page.byteOffset, WORDS);
  let [a, b] = [FIRST_A, FIRST_B];
  for (let n = 0; n < WORDS; n++) {
    const w = words[n]!;
    a = Math.imul(a ^ w, PRIME);
    b = Math.imul(b ^ ((w << 16) | (w >>> 16)), PRIME);
  }
  [low, high] = [a >>> 0, b >>> 0];
}

look(new Uint8Array(PAGE));
const [ZERO_LOW, ZERO_HIGH] = [low, high];
const isZero = (): boolean => low === ZERO_LOW && high === ZERO_HIGH;

/** A digest of the pages that are not zero, page by page. */
class Sum {
  private a = FIRST_A;
  private b = FIRST_B;

  add(page: number): void {
    for (const w of [page, low, high]) {
      this.a = Math.imul(this.a ^ w, PRIME);
      this.b = Math.imul(this.b ^ ((w << 16) | (w >>> 16)), PRIME);
    }
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
    if (!isZero()) sum.add(n);
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

/** Pages as they were saved last. */
export class SavedPages {
  /** By number of the group, two words for each page. */
  private groups = new Map<number, Uint32Array>();
  /** Pages that were saved since all were, and how many those were. */
  private since = Number.POSITIVE_INFINITY;
  private all = 0;

  /** Copies the pages that have changed since the last call, or all of them where that is not much more. @returns them, and the digest of RAM */
  changes(ram: Ram): PageChanges & { readonly digest: string } {
    const sum = new Sum();
    const groups = new Map<number, Uint32Array>();
    const changed: number[] = [];
    const zeros: number[] = [];
    const present: number[] = [];
    for (const [n, content] of ram.touchedPages()) {
      look(content);
      const zero = isZero();
      if (!zero) {
        sum.add(n);
        present.push(n);
      }
      if (this.put(groups, n)) (zero ? zeros : changed).push(n);
    }
    this.groups = groups;
    this.since += changed.length;
    const whole = this.since > this.all;
    if (whole) [this.since, this.all] = [0, present.length];
    const pages = Uint32Array.from(whole ? present : changed);
    const content = new Uint8Array(pages.length * PAGE);
    pages.forEach((n, k) => {
      content.set(ram.page(n)!, k * PAGE);
    });
    return { whole, pages, content, zeros: Uint32Array.from(whole ? [] : zeros), digest: sum.text };
  }

  /** Notes the digest of a page. @returns whether it was another one before */
  private put(groups: Map<number, Uint32Array>, page: number): boolean {
    const [number, at] = [Math.floor(page / GROUP), 2 * (page % GROUP)];
    const before = this.groups.get(number);
    let now = groups.get(number);
    if (!now) groups.set(number, (now = new Uint32Array(2 * GROUP)));
    now[at] = low;
    now[at + 1] = high;
    return (before?.[at] ?? ZERO_LOW) !== low || (before?.[at + 1] ?? ZERO_HIGH) !== high;
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
