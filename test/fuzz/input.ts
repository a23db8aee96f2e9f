/** Numbers out of an input. Past its end everything is zero, so that a shorter input is an easier one. */
export class Input {
  private readonly bytes_: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes_ = bytes;
  }

  /** Is anything left? */
  get more(): boolean {
    return this.at < this.bytes_.length;
  }

  u8(): number {
    return this.bytes_[this.at++] ?? 0;
  }

  u16(): number {
    return this.u8() | (this.u8() << 8);
  }

  u32(): number {
    return (this.u16() | (this.u16() << 16)) >>> 0;
  }

  i32(): number {
    return this.u32() | 0;
  }

  /** Up to `length` bytes. */
  bytes(length: number): Uint8Array {
    const part = this.bytes_.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }
}

/** The other way: writes inputs for a start. */
export class Output {
  private readonly list: number[] = [];

  u8(...values: readonly number[]): this {
    for (const v of values) this.list.push(v & 0xff);
    return this;
  }

  u16(...values: readonly number[]): this {
    for (const v of values) this.u8(v, v >> 8);
    return this;
  }

  u32(...values: readonly number[]): this {
    for (const v of values) this.u16(v, v >>> 16);
    return this;
  }

  raw(bytes: Iterable<number>): this {
    this.list.push(...bytes);
    return this;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.list);
  }
}
