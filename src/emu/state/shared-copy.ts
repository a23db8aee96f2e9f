/**
 * Copies of the state of a model that share with an earlier copy what has not changed: whole values, and of large arrays the blocks
 * that are equal. Such a copy must not be changed.
 */
import { type Fields, isTyped, isVersioned, restoreField, type Stateful, type TypedArray } from './fields.ts';

/** Bytes of a block. An array that is not larger is shared as a whole. */
const BLOCK = 1024;

const wordsOf = (a: ArrayBufferView): Uint32Array | undefined =>
  a.byteOffset % 4 === 0 && a.byteLength % 4 === 0
    ? new Uint32Array(a.buffer, a.byteOffset, a.byteLength / 4)
    : undefined;
const bytesOf = (a: ArrayBufferView): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

/** Do two arrays hold the same bytes? */
function equal(a: ArrayBufferView, b: ArrayBufferView): boolean {
  if (a.byteLength !== b.byteLength) return false;
  const [words, others] = [wordsOf(a), wordsOf(b)];
  const [p, q] = words && others ? [words, others] : [bytesOf(a), bytesOf(b)];
  for (let i = 0; i < p.length; i++) if (p[i] !== q[i]) return false;
  return true;
}

/** A block of a copy, in words where the array has whole ones. */
type Block = Uint32Array | Uint8Array;

/** Is a block what an array holds from an element on? Four words at a time: most of them are equal. */
function holds(array: Uint32Array, from: number, block: Uint32Array): boolean {
  const { length } = block;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const at = from + i;
    const differ =
      (array[at]! ^ block[i]!) |
      (array[at + 1]! ^ block[i + 1]!) |
      (array[at + 2]! ^ block[i + 2]!) |
      (array[at + 3]! ^ block[i + 3]!);
    if (differ !== 0) return false;
  }
  for (; i < length; i++) if (array[from + i] !== block[i]) return false;
  return true;
}

/** A copy of a large array. */
export class BlockCopy {
  readonly blocks: readonly Block[];
  private readonly empty: TypedArray;

  private constructor(blocks: readonly Block[], kind: TypedArray) {
    this.blocks = blocks;
    this.empty = kind.slice(0, 0);
  }

  /** Copies an array. @param before an earlier copy of it. It is returned when nothing has changed */
  static of(array: TypedArray, before: unknown): BlockCopy {
    const words = wordsOf(array);
    const all: Block = words ?? bytesOf(array);
    const size = BLOCK / all.BYTES_PER_ELEMENT;
    const old = before instanceof BlockCopy ? before.blocks : [];
    let changed = old.length !== Math.ceil(all.length / size);
    const blocks: Block[] = [];
    for (let at = 0; at < all.length; at += size) {
      const was = old[blocks.length];
      const same =
        was?.length === Math.min(size, all.length - at) &&
        (words && was instanceof Uint32Array ? holds(words, at, was) : equal(was, all.subarray(at, at + size)));
      if (!same) changed = true;
      blocks.push(same ? was : all.slice(at, at + size));
    }
    return changed ? new BlockCopy(blocks, array) : (before as BlockCopy);
  }

  /** Writes the copy into an array of the same length. */
  into(array: ArrayBufferView): void {
    const bytes = bytesOf(array);
    let at = 0;
    for (const block of this.blocks) {
      bytes.set(bytesOf(block), at);
      at += block.byteLength;
    }
  }

  /** The copy as an array of the original's kind. */
  whole(): TypedArray {
    const bytes = this.blocks.reduce((sum, block) => sum + block.byteLength, 0);
    const Kind = this.empty.constructor as new (length: number) => TypedArray;
    const out = new Kind(bytes / this.empty.BYTES_PER_ELEMENT);
    this.into(out);
    return out;
  }
}

/** A copy of a value of the state; `before` itself when it is equal. */
function copied(v: unknown, before: unknown): unknown {
  if (isTyped(v)) {
    if (v.byteLength > BLOCK) return BlockCopy.of(v, before);
    return isTyped(before) && v.constructor === before.constructor && equal(v, before) ? before : v.slice();
  }
  if (Array.isArray(v)) {
    const old: readonly unknown[] = Array.isArray(before) ? before : [];
    const now = v.map((x, n) => copied(x, old[n]));
    return Array.isArray(before) && old.length === now.length && now.every((x, n) => Object.is(x, old[n]))
      ? before
      : now;
  }
  if (v instanceof Map) return copiedMap(v, before, copied);
  if (v !== null && typeof v === 'object') {
    if (isVersioned(v) && isVersioned(before) && v.version === before.version) return before;
    const old = (before !== null && typeof before === 'object' ? before : {}) as Readonly<Record<string, unknown>>;
    const now = Object.fromEntries(Object.entries(v).map(([k, x]) => [k, copied(x, old[k])]));
    const names = Object.keys(now);
    return names.length === Object.keys(old).length && names.every((k) => k in old && Object.is(now[k], old[k]))
      ? before
      : now;
  }
  return v;
}

/** Maps keep the order in which entries came, and the order is part of the state. */
function copiedMap(
  v: ReadonlyMap<unknown, unknown>,
  before: unknown,
  copy: (x: unknown, before: unknown) => unknown,
): ReadonlyMap<unknown, unknown> {
  const old = before instanceof Map ? before : undefined;
  const now = new Map<unknown, unknown>();
  const keys = old?.keys();
  let same = old?.size === v.size;
  for (const [k, x] of v) {
    const was: unknown = old?.get(k);
    const value = copy(x, was);
    if (same && (keys!.next().value !== k || !Object.is(value, was))) same = false;
    now.set(k, value);
  }
  return same ? old! : now;
}

/** Copies the state of a part. @param before an earlier copy of it, with which the new one shares what has not changed */
export function saveShared(part: Stateful, before: Fields | undefined): Fields {
  let changed = before === undefined;
  const out: Record<string, unknown> = {};
  for (const name of part.stateFields) {
    const value: unknown = Reflect.get(part, name);
    const was = before?.[name];
    const shared = value instanceof Map && part.sharedFields?.includes(name);
    out[name] = shared ? copiedMap(value, was, (x) => x) : copied(value, was);
    if (!Object.is(out[name], was)) changed = true;
  }
  return changed ? out : before!;
}

/** A copied value in the form that the state has. */
function plain(v: unknown): unknown {
  if (v instanceof BlockCopy) return v.whole();
  if (isTyped(v)) return v;
  if (Array.isArray(v)) return v.map(plain);
  if (v instanceof Map) return new Map([...v].map(([k, x]) => [k, plain(x)]));
  if (v !== null && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
  return v;
}

/** Restores a part from a copy of {@link saveShared}. */
export function restoreShared(part: Stateful, copy: Fields): void {
  for (const name of part.stateFields) {
    const value = copy[name];
    const now: unknown = Reflect.get(part, name);
    if (value instanceof BlockCopy && isTyped(now)) value.into(now);
    else restoreField(part, name, part.sharedFields?.includes(name) ? value : plain(value));
  }
}

/**
 * The memory that a number of copies use together. What several of them share is counted once.
 */
export class SharedBytes {
  /** How many owners each array, list, map and object of the copies has. */
  private readonly owners = new Map<object, number>();
  private sum = 0;

  /** A copy, or a part of one, has one more owner. */
  add(v: unknown): void {
    if (v === null || typeof v !== 'object') return;
    const owners = this.owners.get(v) ?? 0;
    this.owners.set(v, owners + 1);
    if (owners > 0) return;
    if (isTyped(v)) this.sum += v.byteLength;
    else for (const x of contents(v)) this.add(x);
  }

  /** A copy, or a part of one, has one owner less. */
  remove(v: unknown): void {
    if (v === null || typeof v !== 'object') return;
    const owners = this.owners.get(v)! - 1;
    if (owners > 0) {
      this.owners.set(v, owners);
      return;
    }
    this.owners.delete(v);
    if (isTyped(v)) this.sum -= v.byteLength;
    else for (const x of contents(v)) this.remove(x);
  }

  /** @param free arrays that do not count, because others hold them anyway */
  bytes(free: ReadonlySet<ArrayBufferView>): number {
    let bytes = this.sum;
    for (const array of free) if (this.owners.has(array)) bytes -= array.byteLength;
    return bytes;
  }
}

function contents(v: object): Iterable<unknown> {
  if (v instanceof BlockCopy) return v.blocks;
  if (Array.isArray(v)) return v as unknown[];
  return v instanceof Map ? (v as Map<unknown, unknown>).values() : Object.values(v);
}
