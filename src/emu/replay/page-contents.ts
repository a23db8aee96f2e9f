/** For pages of RAM, by number, the numbers of their contents in a store. A table for many pages, which are looked up often. */

/** Pages of a part of the table. */
const PART = 1024;
const NONE = -1;

export class PageContents {
  private readonly parts: (Int32Array | undefined)[] = [];
  /** Pages that have got a content since the last {@link clear}, each once; it may be gone again. */
  private list: number[] = [];
  /** For those in the list, which stay there. */
  private readonly listed: (Uint8Array | undefined)[] = [];

  /** The content of a page; undefined: it has none. */
  get(page: number): number | undefined {
    const content = this.parts[Math.floor(page / PART)]?.[page % PART];
    return content === NONE ? undefined : content;
  }

  has(page: number): boolean {
    return this.get(page) !== undefined;
  }

  set(page: number, content: number): void {
    const n = Math.floor(page / PART);
    let part = this.parts[n];
    if (!part) {
      part = new Int32Array(PART).fill(NONE);
      this.parts[n] = part;
      this.listed[n] = new Uint8Array(PART);
    }
    part[page % PART] = content;
    const listed = this.listed[n]!;
    if (listed[page % PART] !== 0) return;
    listed[page % PART] = 1;
    this.list.push(page);
  }

  delete(page: number): void {
    const part = this.parts[Math.floor(page / PART)];
    if (part) part[page % PART] = NONE;
  }

  clear(): void {
    for (const page of this.list) {
      const n = Math.floor(page / PART);
      this.parts[n]![page % PART] = NONE;
      this.listed[n]![page % PART] = 0;
    }
    this.list = [];
  }

  /** Looks at each page that has a content, in the order in which they came. Meanwhile no page may come. */
  each(look: (page: number, content: number) => void): void {
    for (const page of this.list) {
      const content = this.get(page);
      if (content !== undefined) look(page, content);
    }
  }
}
