/** The part of ACPI Machine Language that the tables of the board need (ACPI 6.5, chapter 20; resource descriptors: section 6.4). */
import { TableBytes } from './bytes.ts';

/** Encoded AML. */
export type Aml = readonly number[];

const EXT = 0x5b;

const bytes = (write: (b: TableBytes) => void): Aml => {
  const b = new TableBytes();
  write(b);
  return [...b.finish()];
};

/** A name segment: four characters. */
const segment = (name: string): Aml => [...name.padEnd(4, '_')].map((c) => c.charCodeAt(0));

/** A name, with a leading backslash when it begins at the root. */
export function path(name: string): Aml {
  const root = name.startsWith('\\');
  const parts = (root ? name.slice(1) : name).split('.').filter(Boolean);
  const prefix =
    parts.length === 0 ? [0] : parts.length === 1 ? [] : parts.length === 2 ? [0x2e] : [0x2f, parts.length];
  return [...(root ? [0x5c] : []), ...prefix, ...parts.flatMap(segment)];
}

/** A package length in front of its content. It includes its own length. */
function sized(content: Aml): Aml {
  for (let n = 1; n <= 4; n++) {
    const total = content.length + n;
    if (n === 1 ? total <= 0x3f : total < 2 ** (4 + 8 * (n - 1))) {
      if (n === 1) return [total, ...content];
      const rest = Array.from({ length: n - 1 }, (_, k) => (total >> (4 + 8 * k)) & 0xff);
      return [((n - 1) << 6) | (total & 0xf), ...rest, ...content];
    }
  }
  throw new Error('AML: a package is too long');
}

export function integer(v: number): Aml {
  if (v === 0 || v === 1) return [v];
  if (v < 0x100) return [0x0a, v];
  if (v < 0x10000) return bytes((b) => b.u8(0x0b).u16(v));
  if (v < 2 ** 32) return bytes((b) => b.u8(0x0c).u32(v));
  return bytes((b) => b.u8(0x0e).u64(v));
}

export const text = (s: string): Aml => [0x0d, ...[...s].map((c) => c.charCodeAt(0)), 0];

/** A PNP or ACPI identifier: seven characters pack into an integer, eight stay text. */
export function hid(id: string): Aml {
  if (id.length !== 7) return text(id);
  const c = [...id.slice(0, 3)].map((x) => x.charCodeAt(0) - 0x40);
  const n = Number.parseInt(id.slice(3), 16);
  const v = (c[0]! << 26) | (c[1]! << 21) | (c[2]! << 16) | n;
  return [0x0c, (v >>> 24) & 0xff, (v >>> 16) & 0xff, (v >>> 8) & 0xff, v & 0xff];
}

export const name = (n: string, value: Aml): Aml => [0x08, ...path(n), ...value];
export const scope = (n: string, ...body: readonly Aml[]): Aml => [0x10, ...sized([...path(n), ...body.flat()])];
export const device = (n: string, ...body: readonly Aml[]): Aml => [EXT, 0x82, ...sized([...path(n), ...body.flat()])];
export const list = (...items: readonly Aml[]): Aml => [0x12, ...sized([items.length, ...items.flat()])];
export const method = (n: string, args: number, ...body: readonly Aml[]): Aml => [
  0x14,
  ...sized([...path(n), args, ...body.flat()]),
];

/** A buffer with resource descriptors and the end tag behind them. */
export const resources = (...items: readonly Aml[]): Aml => {
  const content = [...items.flat(), 0x79, 0];
  return [0x11, ...sized([...integer(content.length), ...content])];
};

/** A range of memory that a device answers at. */
export const memory32 = (base: number, length: number): Aml =>
  bytes((b) => b.u8(0x86).u16(9).u8(1).u32(base).u32(length));

/** Interrupt lines (global system interrupts), active high. */
export const interrupts = (edge: boolean, ...gsis: readonly number[]): Aml =>
  bytes((b) => {
    b.u8(0x89)
      .u16(2 + 4 * gsis.length)
      .u8(edge ? 3 : 9, gsis.length);
    for (const gsi of gsis) b.u32(gsi);
  });

/** An address range that a bridge forwards. */
export interface Window {
  readonly min: number;
  readonly max: number;
  /** Offset from the address behind the bridge to the address in front of it. */
  readonly translation?: number;
}
const FIXED_BOTH = 0x0c;
const TYPE = { memory: 0, io: 1, bus: 2 } as const;

export const busWindow = ({ min, max }: Window): Aml =>
  bytes((b) =>
    b
      .u8(0x88)
      .u16(13)
      .u8(TYPE.bus, FIXED_BOTH, 0)
      .u16(0)
      .u16(min)
      .u16(max)
      .u16(0)
      .u16(max - min + 1),
  );

/** I/O ports that are memory addresses in front of the bridge. */
export const ioWindow = ({ min, max, translation = 0 }: Window): Aml =>
  bytes((b) =>
    b
      .u8(0x87)
      .u16(23)
      .u8(TYPE.io, FIXED_BOTH, 0x13)
      .u32(0)
      .u32(min)
      .u32(max)
      .u32(translation)
      .u32(max - min + 1),
  );

export const memoryWindow = ({ min, max, translation = 0 }: Window): Aml =>
  bytes((b) =>
    b
      .u8(0x8a)
      .u16(43)
      .u8(TYPE.memory, FIXED_BOTH, 1)
      .u64(0)
      .u64(min)
      .u64(max)
      .u64(translation)
      .u64(max - min + 1),
  );

/** System memory that methods read and write, with fields of whole bytes from its beginning on. */
export const region = (n: string, base: number, length: number, fields: readonly [string, number][]): Aml => [
  EXT,
  0x80,
  ...path(n),
  0,
  ...integer(base),
  ...integer(length),
  EXT,
  0x81,
  // Access width as the field, no lock, other bits preserved.
  ...sized([...path(n), 3, ...fields.flatMap(([f, bytesWide]) => [...segment(f), ...fieldLength(8 * bytesWide)])]),
];

/** Length of a field in bits, encoded like a package length. */
const fieldLength = (bits: number): Aml => (bits <= 0x3f ? [bits] : [0x40 | (bits & 0xf), bits >> 4]);

const LOCAL0 = 0x60;
/** `Local0 = source; if (Local0 & mask) Notify(target, value)`. */
export const notifyIf = (source: string, mask: number, target: string, value: number): Aml => [
  0x70,
  ...path(source),
  LOCAL0,
  0xa0,
  ...sized([0x7b, LOCAL0, ...integer(mask), 0, 0x86, ...path(target), ...integer(value)]),
];
