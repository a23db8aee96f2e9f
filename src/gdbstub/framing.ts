/**
 * Packets of the GDB Remote Serial Protocol on the wire: `$payload#cc`, acknowledgements, escapes, the interrupt byte.
 * Everything is bytes; payloads become strings of Latin-1 characters, one a byte.
 */

const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const INTERRUPT = 0x03;

/** Largest payload accepted, as announced in qSupported. */
export const PACKET_SIZE = 0x20000;

/** A packet that is longer than allowed gets an error, but not one that never ends. */
const MOST_EXCESS = 0x100000;

/** What the parser finds in the stream. */
export type Frame =
  | { readonly kind: 'packet'; readonly payload: string }
  | { readonly kind: 'ack' }
  | { readonly kind: 'nack' }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'bad-checksum' }
  | { readonly kind: 'too-long' };

/** Sum of bytes modulo 256, as two hex digits. */
function checksum(bytes: Uint8Array): string {
  let sum = 0;
  for (const b of bytes) sum = (sum + b) & 0xff;
  return sum.toString(16).padStart(2, '0');
}

/** Escapes binary data for a reply: `#`, `$`, `}` and `*` are preceded by `}` and XORed with 0x20. */
export function escapeBinary(data: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (const b of data) {
    if (b === DOLLAR || b === HASH || b === ESCAPE || b === STAR) out.push(ESCAPE, b ^ 0x20);
    else out.push(b);
  }
  return Uint8Array.from(out);
}

/** Undoes {@link escapeBinary}; any byte may be escaped. */
export function unescapeBinary(data: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let i = 0; i < data.length; i++) {
    if (data[i] === ESCAPE && i + 1 < data.length) out.push(data[++i]! ^ 0x20);
    else out.push(data[i]!);
  }
  return Uint8Array.from(out);
}

/** Bytes that become characters at a time: each is an argument of a call. */
const PIECE = 4096;

/** Bytes as characters with the same numbers. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return text;
}

/** The inverse of {@link latin1}. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let n = 0; n < text.length; n++) bytes[n] = text.charCodeAt(n);
  return bytes;
}

/** A whole packet, ready to send. The payload's binary parts are escaped already. */
export function encodePacket(payload: string): Uint8Array {
  const body = fromLatin1(payload);
  return fromLatin1(`$${payload}#${checksum(body)}`);
}

/** Bytes with which a packet, an acknowledgement or an interrupt begins. */
export const FIRST_BYTES: readonly number[] = [DOLLAR, PLUS, MINUS, INTERRUPT];

/** Splits an incoming byte stream into frames; packets may arrive in pieces or several at once. */
export class PacketParser {
  private readonly body = new Uint8Array(PACKET_SIZE);
  private length = 0;
  private state: 'idle' | 'body' | 'sum1' | 'sum2' = 'idle';
  private overflow = false;
  private sum = '';
  /**
   * Number of bytes since the last valid packet that do not belong to the protocol: between packets, in packets with a wrong
   * checksum, and far behind the longest packet. They are skipped.
   */
  noise = 0;
  /** Bytes of this packet that are too many. */
  private excess = 0;

  /** Adds bytes. @returns the frames that are now complete */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    for (const b of bytes) {
      const frame = this.byte(b);
      if (frame) frames.push(frame);
    }
    return frames;
  }

  private byte(b: number): Frame | undefined {
    switch (this.state) {
      case 'idle':
        if (b === DOLLAR) this.start();
        else if (b === PLUS) return { kind: 'ack' };
        else if (b === MINUS) return { kind: 'nack' };
        else if (b === INTERRUPT) return { kind: 'interrupt' };
        else this.noise++;
        return undefined;
      case 'body':
        if (b === HASH) this.state = 'sum1';
        else if (b === DOLLAR) this.start();
        else if (this.length >= PACKET_SIZE) this.tooMany();
        else this.body[this.length++] = b;
        return undefined;
      case 'sum1':
        this.sum = String.fromCharCode(b);
        this.state = 'sum2';
        return undefined;
      case 'sum2':
        this.state = 'idle';
        return this.complete(this.sum + String.fromCharCode(b));
    }
  }

  private tooMany(): void {
    this.overflow = true;
    if (++this.excess > MOST_EXCESS) this.noise++;
  }

  private start(): void {
    this.length = 0;
    this.excess = 0;
    this.overflow = false;
    this.state = 'body';
  }

  private complete(sum: string): Frame {
    if (this.overflow) return { kind: 'too-long' };
    const bytes = this.body.subarray(0, this.length);
    if (sum.toLowerCase() !== checksum(bytes)) {
      this.noise += this.length + sum.length;
      return { kind: 'bad-checksum' };
    }
    this.noise = 0;
    return { kind: 'packet', payload: latin1(bytes) };
  }
}

const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes as hex digits. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX_OF_BYTE[byte];
  return text;
}

/** Hex digits as bytes; undefined when they are not pairs of hex digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let n = 0; n < bytes.length; n++) bytes[n] = Number.parseInt(text.slice(2 * n, 2 * n + 2), 16);
  return bytes;
}

/** A little-endian register value as hex digits. */
export function valueToHex(value: bigint, bytes: number): string {
  let out = '';
  for (let i = 0; i < bytes; i++)
    out += Number((value >> BigInt(8 * i)) & 0xffn)
      .toString(16)
      .padStart(2, '0');
  return out;
}

/** The inverse of {@link valueToHex}; undefined when the digits do not fit `bytes`. */
export function hexToValue(text: string, bytes: number): bigint | undefined {
  const raw = fromHex(text);
  if (!raw || raw.length !== bytes) return undefined;
  return raw.reduceRight((v, b) => (v << 8n) | BigInt(b), 0n);
}

/** A hex number of a packet; undefined when it is not one or exceeds 64 bits. */
export function parseHex(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[0-9a-f]{1,16}$/i.test(text.replace(/^0+(?=.)/, ''))) return undefined;
  return BigInt(`0x${text}`);
}
