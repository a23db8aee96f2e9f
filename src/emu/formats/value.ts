/**
 * Values as bytes: a description as JSON, and behind it the bytes that it refers to (docs/snapshot.md). Snapshots and recordings are
 * made of such values. The caller compresses them.
 */
import { viewOf } from './little-endian.ts';

/** What begins every value of a kind. */
export interface ValueKind {
  /** Eight characters. */
  readonly magic: string;
  readonly version: number;
}

/** Bytes that are no value of the expected kind; the message says why. */
export class ValueError extends Error {}

export const HEADER_BYTES = 16;
const ALIGN = 8;

const TYPES = { Uint8Array, Uint16Array, Uint32Array, Int16Array, Int32Array, Float64Array, BigUint64Array } as const;
type TypeName = keyof typeof TYPES;
type Typed = InstanceType<(typeof TYPES)[TypeName]>;

const isTyped = (v: object): v is Typed => v.constructor.name in TYPES;
type Json = null | boolean | number | string | Json[] | { readonly [key: string]: Json };

class Writer {
  private readonly kind: ValueKind;
  private readonly blobs: Uint8Array[] = [];
  private at = 0;

  constructor(kind: ValueKind) {
    this.kind = kind;
  }

  /** Writes a value as JSON. A value that JSON does not have becomes an object with one key that begins with `$`. */
  json(v: unknown): Json {
    if (v === null || typeof v === 'string' || typeof v === 'boolean') return v;
    if (typeof v === 'number')
      return Number.isFinite(v) && !Object.is(v, -0) ? v : { $number: Object.is(v, -0) ? '-0' : `${v}` };
    if (typeof v === 'bigint') return { $bigint: `${v}` };
    if (v === undefined) return { $undefined: true };
    // An element that was never set is saved as undefined.
    if (Array.isArray(v)) return Array.from(v, (x) => this.json(x));
    if (v instanceof Map) return { $map: [...v].map(([k, x]) => [this.json(k), this.json(x)]) };
    if (isTyped(v as object)) return { $bytes: this.blob(v as Typed) };
    return Object.fromEntries(Object.entries(v as object).map(([k, x]) => [k, this.json(x)]));
  }

  private blob(v: Typed): Json {
    const bytes = new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
    const at = this.at;
    this.blobs.push(bytes);
    this.at = at + aligned(bytes.length);
    return [v.constructor.name, at, bytes.length];
  }

  finish(description: Json): Uint8Array[] {
    const text = new TextEncoder().encode(JSON.stringify(description));
    const head = new Uint8Array(aligned(HEADER_BYTES + text.length));
    const header = new DataView(head.buffer);
    head.set(new TextEncoder().encode(this.kind.magic));
    header.setUint32(8, this.kind.version, true);
    header.setUint32(12, text.length, true);
    head.set(text, HEADER_BYTES);
    const padded = (b: Uint8Array): Uint8Array[] => {
      const more = aligned(b.length) - b.length;
      return more ? [b, new Uint8Array(more)] : [b];
    };
    return [head, ...this.blobs.flatMap(padded)];
  }
}

const aligned = (n: number): number => Math.ceil(n / ALIGN) * ALIGN;

/** A value as bytes, in parts one behind the other. Large parts are views of the value's own. */
export function encodeParts(kind: ValueKind, value: unknown): readonly Uint8Array[] {
  const w = new Writer(kind);
  return w.finish(w.json(value));
}

/** A value as bytes. */
export function encodeValue(kind: ValueKind, value: unknown): Uint8Array {
  const parts = encodeParts(kind, value);
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Reads values that {@link Writer} wrote. @param blobs the bytes behind the description */
function reader(blobs: Uint8Array): (v: Json) => unknown {
  const read = (v: Json): unknown => {
    if (v === null || typeof v !== 'object') return v;
    if (Array.isArray(v)) return v.map(read);
    const [[key, value] = ['', null], ...more] = Object.entries(v);
    if (more.length === 0)
      switch (key) {
        case '$number':
          return Number(value);
        case '$bigint':
          return BigInt(value as string);
        case '$undefined':
          return undefined;
        case '$map':
          return new Map((value as Json[][]).map(([k, x]) => [read(k!), read(x!)]));
        case '$bytes': {
          const [type, at, length] = value as [TypeName, number, number];
          if (!(type in TYPES) || !(at >= 0) || !(at + length <= blobs.length))
            throw new ValueError('it is truncated or damaged');
          const bytes = blobs.slice(at, at + length);
          return new TYPES[type](bytes.buffer);
        }
        default:
      }
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, read(x)]));
  };
  return read;
}

/**
 * Reads what {@link encodeValue} wrote. The caller checks the form of the value.
 * @param what it is, for messages: `snapshot` @throws ValueError
 */
export function decodeValue({ magic, version }: ValueKind, bytes: Uint8Array, what: string): unknown {
  if (bytes.length < HEADER_BYTES || new TextDecoder().decode(bytes.subarray(0, 8)) !== magic)
    throw new ValueError(`it is no ${what}`);
  const header = viewOf(bytes);
  const found = header.getUint32(8, true);
  if (found !== version) throw new ValueError(`it has format ${found}, this program reads ${version}`);
  const length = header.getUint32(12, true);
  if (HEADER_BYTES + length > bytes.length) throw new ValueError('it is truncated');
  const first = aligned(HEADER_BYTES + length);
  try {
    const text = new TextDecoder().decode(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length));
    return reader(bytes.subarray(first))(JSON.parse(text) as Json);
  } catch (error) {
    // Invalid numbers, lists and types.
    throw error instanceof ValueError ? error : new ValueError('its description is damaged');
  }
}
