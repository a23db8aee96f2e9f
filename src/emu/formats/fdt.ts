/** Flattened device trees (Devicetree Specification 0.4, chapter 5). No maintained library on npm writes them. */

import { ImageError } from './image-error.ts';
import { viewOf } from './little-endian.ts';

/** A property: cells of 32 bits, a text, several texts, bytes, or only a name. */
export type FdtValue = readonly number[] | string | readonly string[] | Uint8Array | true;

export interface FdtNode {
  readonly name: string;
  readonly properties: Readonly<Record<string, FdtValue>>;
  readonly children?: readonly FdtNode[];
}

const FDT_MAGIC = 0xd00dfeed;
const VERSION = 17;
const COMPATIBLE = 16;
const HEADER_BYTES = 40;
const RESERVATIONS_BYTES = 16;
const TOKEN = { begin: 1, end: 2, property: 3, finish: 9 } as const;

/**
 * Checks the header of a device tree file. The guest reads the rest.
 * @param file name for messages
 * @throws ImageError when it is not a device tree, or cut short
 */
export function checkDeviceTree(bytes: Uint8Array, file: string): void {
  const header = viewOf(bytes);
  if (bytes.length < HEADER_BYTES || header.getUint32(0) !== FDT_MAGIC)
    throw new ImageError(`--dtb: ${file} is no device tree blob: compile it with dtc`);
  if (header.getUint32(4) > bytes.length) throw new ImageError(`--dtb: ${file} is truncated: copy the file again`);
}

const isNumbers = (v: FdtValue): v is readonly number[] => Array.isArray(v) && typeof v[0] === 'number';

function encode(value: FdtValue): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (isNumbers(value)) {
    const out = new DataView(new ArrayBuffer(4 * value.length));
    value.forEach((v, i) => {
      out.setUint32(4 * i, v);
    });
    return new Uint8Array(out.buffer);
  }
  const texts = typeof value === 'string' ? [value] : value;
  return new TextEncoder().encode(texts.map((t) => `${t}\0`).join(''));
}

/** A 64-bit number as two cells. */
export const cells64 = (v: number): [number, number] => [Math.floor(v / 2 ** 32), v % 2 ** 32];

/**
 * The blob of a tree.
 * @param room bytes that it has at least, with free space at its end (default: none)
 */
export function writeFdt(root: FdtNode, room = 0): Uint8Array {
  const structure: number[] = [];
  const strings: number[] = [];
  const known = new Map<string, number>();
  const u32 = (v: number): void => void structure.push((v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255);
  const align = (): void => {
    while (structure.length % 4) structure.push(0);
  };
  const put = (bytes: Iterable<number>): void => {
    for (const b of bytes) structure.push(b);
    align();
  };
  const nameOffset = (name: string): number => {
    let at = known.get(name);
    if (at === undefined) {
      at = strings.length;
      known.set(name, at);
      strings.push(...new TextEncoder().encode(`${name}\0`));
    }
    return at;
  };
  const node = (n: FdtNode): void => {
    u32(TOKEN.begin);
    put(new TextEncoder().encode(`${n.name}\0`));
    for (const [name, value] of Object.entries(n.properties)) {
      const data = encode(value);
      u32(TOKEN.property);
      u32(data.length);
      u32(nameOffset(name));
      put(data);
    }
    for (const child of n.children ?? []) node(child);
    u32(TOKEN.end);
  };
  node(root);
  u32(TOKEN.finish);
  const structureAt = HEADER_BYTES + RESERVATIONS_BYTES;
  const stringsAt = structureAt + structure.length;
  const out = new Uint8Array(Math.max(room, stringsAt + strings.length));
  const header = new DataView(out.buffer);
  [
    FDT_MAGIC,
    out.length,
    structureAt,
    stringsAt,
    HEADER_BYTES,
    VERSION,
    COMPATIBLE,
    0,
    strings.length,
    structure.length,
  ].forEach((v, i) => {
    header.setUint32(4 * i, v);
  });
  out.set(structure, structureAt);
  out.set(strings, stringsAt);
  return out;
}
