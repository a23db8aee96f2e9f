/**
 * Which instructions of a page of code were hot in earlier runs, by the content of the page. The next run translates
 * them when control first reaches them. These are only hints: a wrong one costs time and has no other effect.
 */

/** The number of pages that are kept. The page whose last use is longest ago is dropped first. */
const MOST_PAGES = 4096;
/** The number of hot instructions and of computed jumps that are kept for a page. */
const MOST_ENTRIES = 128;
/** The version of the format, and of what the translator makes of it. */
const VERSION = 1;

export interface HotPage {
  /** Positions at which regions began. */
  readonly entries: Set<number>;
  /** Computed jumps inside the page, by target: from where they jumped. */
  readonly jumps: Map<number, number>;
}

const isPosition = (x: unknown): x is number => Number.isInteger(x) && (x as number) >= 0 && (x as number) < 1024;

export class HotPages {
  private readonly pages = new Map<string, HotPage>();

  /** The key of a page's 1024 instruction words. */
  static key(words: Uint32Array): string {
    let a = 0x811c9dc5;
    let b = 0x9e3779b9;
    for (let n = 0; n < words.length; n++) {
      a = Math.imul(a ^ words[n]!, 0x01000193);
      b = Math.imul(b ^ words[n]!, 0x85ebca6b) ^ (b >>> 13);
    }
    return (a >>> 0).toString(36) + (b >>> 0).toString(36);
  }

  get size(): number {
    return this.pages.size;
  }

  /** What is known of a page. */
  find(key: string): HotPage | undefined {
    return this.pages.get(key);
  }

  /** A region has been made at a position of a page. */
  note(key: string, entry: number, jumps: ReadonlyMap<number, number>): void {
    const page = this.pages.get(key) ?? { entries: new Set<number>(), jumps: new Map<number, number>() };
    // It is the last one used, so it moves to the end of the order.
    this.pages.delete(key);
    this.pages.set(key, page);
    if (page.entries.size < MOST_ENTRIES) page.entries.add(entry);
    for (const [to, from] of jumps) if (page.jumps.size < MOST_ENTRIES) page.jumps.set(to, from);
    for (const oldest of this.pages.keys()) {
      if (this.pages.size <= MOST_PAGES) break;
      this.pages.delete(oldest);
    }
  }

  /** Adds what another run has recorded. What is known here counts as newer. */
  merge(other: HotPages): void {
    const mine = [...this.pages];
    this.pages.clear();
    for (const [key, page] of [...other.pages, ...mine])
      for (const entry of page.entries) this.note(key, entry, page.jumps);
  }

  /** One line of JSON. */
  serialize(): string {
    const pages = Object.fromEntries(
      [...this.pages].map(([key, p]) => [key, { entries: [...p.entries], jumps: [...p.jumps].flat() }]),
    );
    return `${JSON.stringify({ version: VERSION, pages })}\n`;
  }

  /** Reads what {@link serialize} wrote. Other text, or another version, is ignored. */
  static parse(text: string): HotPages {
    const out = new HotPages();
    let data: unknown;
    try {
      data = JSON.parse(text);
    } catch {
      return out;
    }
    if (typeof data !== 'object' || data === null || !('version' in data) || data.version !== VERSION) return out;
    const pages = 'pages' in data && typeof data.pages === 'object' ? data.pages : undefined;
    for (const [key, page] of Object.entries(pages ?? {}) as [string, unknown][]) {
      if (typeof page !== 'object' || page === null) continue;
      const { entries, jumps } = page as { entries?: unknown; jumps?: unknown };
      if (!Array.isArray(entries) || !entries.every(isPosition)) continue;
      const pairs = Array.isArray(jumps) && jumps.every(isPosition) ? jumps : [];
      const map = new Map<number, number>();
      for (let n = 0; n + 1 < pairs.length; n += 2) map.set(pairs[n]!, pairs[n + 1]!);
      for (const entry of entries) out.note(key, entry, map);
    }
    return out;
  }
}
