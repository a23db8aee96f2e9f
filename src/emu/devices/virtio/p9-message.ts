/**
 * Numbers and texts of 9P messages. Numbers are little-endian; a text has its length in two bytes in front. A character of a
 * text is one byte, since names of files need not be UTF-8.
 */

import { viewOf } from '../../formats/little-endian.ts';
/** Length, type and tag in front of each message. */
export const HEADER_BYTES = 7;
/** Most arguments of one function call. */
const CHUNK = 4096;

/** Reads a message. @throws RangeError past its end */
export class P9Reader {
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.view = viewOf(bytes);
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

  u64(): bigint {
    this.at += 8;
    return this.view.getBigUint64(this.at - 8, true);
  }

  raw(length: number): Uint8Array {
    if (this.at + length > this.view.byteLength) throw new RangeError('a message is too short');
    this.at += length;
    return new Uint8Array(this.view.buffer, this.view.byteOffset + this.at - length, length);
  }

  text(): string {
    const bytes = this.raw(this.u16());
    let s = '';
    for (let n = 0; n < bytes.length; n += CHUNK) s += String.fromCharCode(...bytes.subarray(n, n + CHUNK));
    return s;
  }
}

/** Writes a message, with room for its header in front. */
export class P9Writer {
  private buffer: Uint8Array;
  private view: DataView;
  private end = HEADER_BYTES;

  /** @param room bytes that are expected behind the header */
  constructor(room = 256) {
    this.buffer = new Uint8Array(HEADER_BYTES + room);
    this.view = new DataView(this.buffer.buffer);
  }

  /** Bytes behind the header. */
  get length(): number {
    return this.end - HEADER_BYTES;
  }

  /** Makes room for this many bytes. @returns their place */
  private grow(bytes: number): number {
    const at = this.end;
    this.end += bytes;
    if (this.end > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.end, 2 * this.buffer.length));
      larger.set(this.buffer);
      this.buffer = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }

  u8(n: number): this {
    const at = this.grow(1);
    this.view.setUint8(at, n);
    return this;
  }

  u16(n: number): this {
    const at = this.grow(2);
    this.view.setUint16(at, n, true);
    return this;
  }

  u32(n: number): this {
    const at = this.grow(4);
    this.view.setUint32(at, n, true);
    return this;
  }

  u64(n: bigint): this {
    const at = this.grow(8);
    this.view.setBigUint64(at, n, true);
    return this;
  }

  text(s: string): this {
    this.u16(s.length);
    const at = this.grow(s.length);
    for (let n = 0; n < s.length; n++) this.buffer[at + n] = s.charCodeAt(n);
    return this;
  }

  /**
   * Data with their count in front. The caller puts them into the message.
   * @param most bytes of room @param fill returns how many there are
   */
  data(most: number, fill: (into: Uint8Array) => number): this {
    const at = this.grow(4 + most) + 4;
    const count = fill(this.buffer.subarray(at, at + most));
    this.view.setUint32(at - 4, count, true);
    this.end = at + count;
    return this;
  }

  /** Cuts the message to this length. */
  cut(length: number): void {
    this.end = HEADER_BYTES + length;
  }

  /** Replaces a number that was written before. @param at offset behind the header */
  patch32(at: number, n: number): void {
    this.view.setUint32(HEADER_BYTES + at, n, true);
  }

  /** The whole message, with its length, type and tag in front. */
  message(type: number, tag: number): Uint8Array {
    this.view.setUint32(0, this.end, true);
    this.view.setUint8(4, type);
    this.view.setUint16(5, tag, true);
    return this.buffer.subarray(0, this.end);
  }
}
