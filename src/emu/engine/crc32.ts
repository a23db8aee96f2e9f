const IEEE = 0xedb88320;
const CASTAGNOLI = 0x82f63b78;

function table(poly: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ poly : c >>> 1;
    return c;
  });
}
const TABLES = [table(IEEE), table(CASTAGNOLI)] as const;

/**
 * Adds the low bytes of a message to a running CRC checksum (Vol. 1, section 2.2.9), without inversions.
 * @param code the number of bytes: 1, 2, 4 or 8. When bit 4 is set, the polynomial is Castagnoli's
 */
export function crc32(code: number, messageLo: number, messageHi: number, crc: number): number {
  const t = TABLES[code >> 4]!;
  let c = crc;
  for (let k = 0; k < (code & 0xf); k++) {
    const byte = ((k < 4 ? messageLo : messageHi) >>> (8 * (k & 3))) & 0xff;
    c = (c >>> 8) ^ t[(c ^ byte) & 0xff]!;
  }
  return c | 0;
}
