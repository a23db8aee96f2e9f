/** Little-endian numbers in bytes: what guests, images and tables are made of. */

/** The bytes of an array, wherever it begins in its buffer. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The 32-bit number at a place; undefined when the bytes end before it does. */
export const u32At = (bytes: Uint8Array, at = 0): number | undefined =>
  at + 4 <= bytes.length ? viewOf(bytes).getUint32(at, true) : undefined;

/** The 64-bit number at a place; undefined when the bytes end before it does. */
export const u64At = (bytes: Uint8Array, at = 0): bigint | undefined =>
  at + 8 <= bytes.length ? viewOf(bytes).getBigUint64(at, true) : undefined;
