/** Numbers and texts of 9P messages: little-endian, texts with a length of two bytes in front. */

/** Reads a message. @throws RangeError past its end */
export class P9Reader {
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.view.getUint8(this.at++);
  }

  u16(): number {
    this.at += 2;
    return this.view.getUint16(this.at - 2, true);
  }

  u32(): number {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  /** Numbers above 2^53 lose their low bits: no file is that large. */
  u64(): number {
    this.at += 8;
    return Number(this.view.getBigUint64(this.at - 8, true));
  }

  raw(length: number): Uint8Array {
    if (this.at + length > this.view.byteLength) throw new RangeError('a message is too short');
    this.at += length;
    return new Uint8Array(this.view.buffer, this.view.byteOffset + this.at - length, length);
  }

  text(): string {
    return new TextDecoder().decode(this.raw(this.u16()));
  }
}

/** Writes a message. */
export class P9Writer {
  private readonly parts: Uint8Array[] = [];
  length = 0;

  private number(bytes: number, write: (v: DataView) => void): this {
    const v = new DataView(new ArrayBuffer(bytes));
    write(v);
    return this.raw(new Uint8Array(v.buffer));
  }

  u8(n: number): this {
    return this.raw(Uint8Array.of(n));
  }

  u16(n: number): this {
    return this.number(2, (v) => v.setUint16(0, n, true));
  }

  u32(n: number): this {
    return this.number(4, (v) => v.setUint32(0, n, true));
  }

  u64(n: number): this {
    return this.number(8, (v) => v.setBigUint64(0, BigInt(n), true));
  }

  text(s: string): this {
    const bytes = new TextEncoder().encode(s);
    return this.u16(bytes.length).raw(bytes);
  }

  raw(bytes: Uint8Array): this {
    this.parts.push(bytes);
    this.length += bytes.length;
    return this;
  }

  bytes(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const p of this.parts) {
      out.set(p, at);
      at += p.length;
    }
    return out;
  }

  /** The whole message, with its length, type and tag in front. */
  message(type: number, tag: number): Uint8Array {
    return new P9Writer()
      .u32(this.length + 7)
      .u8(type)
      .u16(tag)
      .raw(this.bytes())
      .bytes();
  }
}
