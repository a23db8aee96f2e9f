/** For pages of RAM, by number, the numbers of their contents in a store. A table for many pages, which are looked up often. */

/** Pages of a part of the table, as a power of two, and those of its bits that are the place in a part. */
const PART_BITS = 10;
const PART = 2 ** PART_BITS;
const IN_PART = PART - 1;
const NONE = -1;

export class PageContents {
  private readonly parts: (Int32Array | undefined)[] = [];
  /** Pages that have got a content since the last {@link clear}, each once; it may be gone again. */
  private list: number[] = [];
  /** For those in the list, which stay there. */
  private readonly listed: (Uint8Array | undefined)[] = [];

  /** The content of a page; undefined: it has none. */
  get(page: number): number | undefined {
    const content = this.parts[page >>> PART_BITS]?.[page & IN_PART];
    return content === NONE ? undefined : content;
  }

  has(page: number): boolean {
    return this.get(page) !== undefined;
  }

  set(page: number, content: number): void {
    this.partOf(page)[page & IN_PART] = content;
  }

  /** Gives a page a content if it has none. @returns whether it had none */
  add(page: number, content: number): boolean {
    const part = this.partOf(page);
    if (part[page & IN_PART] !== NONE) return false;
    part[page & IN_PART] = content;
    return true;
  }

  /** The part of a page that gets a content. */
  private partOf(page: number): Int32Array {
    const n = page >>> PART_BITS;
    let part = this.parts[n];
    if (!part) {
      part = new Int32Array(PART).fill(NONE);
      this.parts[n] = part;
      this.listed[n] = new Uint8Array(PART);
    }
    const listed = this.listed[n]!;
    if (listed[page & IN_PART] === 0) {
      listed[page & IN_PART] = 1;
      this.list.push(page);
    }
    return part;
  }

  delete(page: number): void {
    const part = this.parts[page >>> PART_BITS];
    if (part) part[page & IN_PART] = NONE;
  }

  clear(): void {
    for (const page of this.list) {
      const n = page >>> PART_BITS;
      this.parts[n]![page & IN_PART] = NONE;
      this.listed[n]![page & IN_PART] = 0;
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
