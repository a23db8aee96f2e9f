/** Builds the bytes of a table, little-endian. */
export class TableBytes {
  private readonly bytes: number[] = [];

  get length(): number {
    return this.bytes.length;
  }

  u8(...values: readonly number[]): this {
    for (const v of values) this.bytes.push(v & 0xff);
    return this;
  }

  u16(v: number): this {
    return this.u8(v, v >> 8);
  }

  u32(v: number): this {
    return this.u16(v).u16(v >>> 16);
  }

  /** 0 <= v < 2^53. */
  u64(v: number): this {
    return this.u32(v % 2 ** 32).u32(Math.floor(v / 2 ** 32));
  }

  /** Exactly `length` bytes: the text, then zeros (or `pad`). */
  text(text: string, length = text.length, pad = 0): this {
    for (let i = 0; i < length; i++) this.u8(i < text.length ? text.charCodeAt(i) : pad);
    return this;
  }

  raw(data: Iterable<number>): this {
    for (const b of data) this.bytes.push(b);
    return this;
  }

  /** Zeros up to a length. */
  padTo(length: number): this {
    while (this.bytes.length < length) this.bytes.push(0);
    return this;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}
