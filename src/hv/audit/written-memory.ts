/**
 * The words of RAM that were ever written: a bit for each 8 bytes. A page that is written often counts as written as a whole from
 * some number of stores on, so that its further stores need not be told.
 */
const CHUNK = 0x100000;
const PAGE = 0x1000;
const WORD = 8;
/** So many stores to a page are told one by one. */
const STORES = 64;

interface Chunk {
  /** A bit for each word. */
  readonly bits: Uint8Array;
  /** By page: stores that were told, up to {@link STORES}: then it is complete. */
  readonly stores: Uint8Array;
}

export class WrittenMemory {
  private readonly chunks = new Map<number, Chunk>();

  private chunk(n: number): Chunk {
    let chunk = this.chunks.get(n);
    if (!chunk) {
      chunk = { bits: new Uint8Array(CHUNK / WORD / 8), stores: new Uint8Array(CHUNK / PAGE) };
      this.chunks.set(n, chunk);
    }
    return chunk;
  }

  /** Marks a physical range that was written at once, for example when the machine was loaded. */
  mark(pa: number, size: number): void {
    for (let word = Math.floor(pa / WORD); word * WORD < pa + size; word++) {
      const bit = word % (CHUNK / WORD);
      this.chunk(Math.floor((word * WORD) / CHUNK)).bits[bit >> 3]! |= 1 << (bit & 7);
    }
  }

  /** Marks the place of a store. */
  stored(pa: number, size: number): void {
    this.mark(pa, size);
    const page = Math.floor((pa % CHUNK) / PAGE);
    const chunk = this.chunk(Math.floor(pa / CHUNK));
    if (chunk.stores[page]! < STORES && ++chunk.stores[page]! === STORES) this.complete(pa);
  }

  /** From now on, all words of the page of an address count as written. */
  complete(pa: number): void {
    const chunk = this.chunk(Math.floor(pa / CHUNK));
    const page = Math.floor((pa % CHUNK) / PAGE);
    chunk.stores[page] = STORES;
    const bytes = PAGE / WORD / 8;
    chunk.bits.fill(0xff, page * bytes, (page + 1) * bytes);
  }

  /** Does the page of an address count as written as a whole? */
  isComplete(pa: number): boolean {
    return this.chunks.get(Math.floor(pa / CHUNK))?.stores[Math.floor((pa % CHUNK) / PAGE)] === STORES;
  }

  /** Has every word of a range been written, at least in part? */
  has(pa: number, size: number): boolean {
    for (let word = Math.floor(pa / WORD); word * WORD < pa + size; word++) {
      const chunk = this.chunks.get(Math.floor((word * WORD) / CHUNK));
      const bit = word % (CHUNK / WORD);
      if (!chunk || !(chunk.bits[bit >> 3]! & (1 << (bit & 7)))) return false;
    }
    return true;
  }
}
