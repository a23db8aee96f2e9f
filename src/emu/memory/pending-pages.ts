/**
 * Pages of RAM that do not hold yet what they should: each gets its content when it is used for the first time. Who goes back in time
 * uses few of the pages that were different then.
 *
 * Emitted code does not know of this. It finds RAM through what {@link Ram.linearAddress} has told, and nothing is told of such a page.
 */

/** Pages of a chunk of RAM. */
const CHUNK_PAGES = 256;
/** A chunk with so few pending pages gets all of them at once. */
const FEW = 8;
/** After so many uses, too: emitted code finds the pages of a chunk without help when none is pending (CHUNKS). */
const MANY_USES = 64;

export class PendingPages {
  private readonly pages: number;
  /** For each page: is it pending? */
  private flags = new Uint8Array(0);
  /** For each chunk: its pending pages, and how often it was used since the last one of them came. */
  private inChunk = new Uint16Array(0);
  private uses = new Uint8Array(0);
  private sum = 0;
  /** Gives a page its content. It is not pending any more when this is called. */
  bring: (page: number) => void = () => {};

  /** @param pages of RAM */
  constructor(pages: number) {
    this.pages = pages;
  }

  /** The number of pending pages. */
  get count(): number {
    return this.sum;
  }

  has(page: number): boolean {
    return this.flags[page] === 1;
  }

  /** Has the chunk of a page pending ones? */
  near(page: number): boolean {
    return this.sum > 0 && this.inChunk[Math.floor(page / CHUNK_PAGES)] !== 0;
  }

  /** A page becomes pending. Translations to it must be dropped. */
  add(page: number): void {
    if (this.flags.length === 0) {
      this.flags = new Uint8Array(this.pages);
      this.inChunk = new Uint16Array(Math.ceil(this.pages / CHUNK_PAGES));
      this.uses = new Uint8Array(this.inChunk.length);
    }
    if (this.flags[page] === 1) return;
    const chunk = Math.floor(page / CHUNK_PAGES);
    this.flags[page] = 1;
    this.inChunk[chunk]!++;
    this.uses[chunk] = 0;
    this.sum++;
  }

  /** A page is not pending any more: what it holds is right. */
  cancel(page: number): void {
    if (this.flags[page] !== 1) return;
    this.flags[page] = 0;
    this.inChunk[Math.floor(page / CHUNK_PAGES)]!--;
    this.sum--;
  }

  /** No page is pending any more. */
  forget(): void {
    this.flags.fill(0);
    this.inChunk.fill(0);
    this.sum = 0;
  }

  /** A CPU is about to use a page. */
  use(page: number): void {
    const chunk = Math.floor(page / CHUNK_PAGES);
    const left = this.inChunk[chunk];
    if (left === 0) return;
    this.settle(page);
    if (left! <= FEW || ++this.uses[chunk]! >= MANY_USES) this.settleChunk(chunk);
  }

  /** A page is about to be read or changed. */
  settle(page: number): void {
    if (this.flags[page] !== 1) return;
    this.cancel(page);
    this.bring(page);
  }

  settleAll(): void {
    for (let chunk = 0; this.sum > 0; chunk++) this.settleChunk(chunk);
  }

  private settleChunk(chunk: number): void {
    const first = chunk * CHUNK_PAGES;
    for (let page = first; this.inChunk[chunk] !== 0; page++) this.settle(page);
  }
}
