/** The words of RAM that were ever written: a bit for each 8 bytes. */
const CHUNK = 0x100000;
const WORD = 8;

export class WrittenMemory {
  private readonly chunks = new Map<number, Uint8Array>();

  /** Marks a physical range. */
  mark(pa: number, size: number): void {
    for (let word = Math.floor(pa / WORD); word * WORD < pa + size; word++) {
      const n = Math.floor((word * WORD) / CHUNK);
      let bits = this.chunks.get(n);
      if (!bits) {
        bits = new Uint8Array(CHUNK / WORD / 8);
        this.chunks.set(n, bits);
      }
      const bit = word % (CHUNK / WORD);
      bits[bit >> 3]! |= 1 << (bit & 7);
    }
  }

  /** Has every word of a range been written, at least in part? */
  has(pa: number, size: number): boolean {
    for (let word = Math.floor(pa / WORD); word * WORD < pa + size; word++) {
      const bits = this.chunks.get(Math.floor((word * WORD) / CHUNK));
      const bit = word % (CHUNK / WORD);
      if (!bits || !(bits[bit >> 3]! & (1 << (bit & 7)))) return false;
    }
    return true;
  }
}
