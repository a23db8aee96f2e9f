/** Sections of an ELF64 file. Sections that are outside the file or invalid are ignored: no part of the program depends on them. */

import { viewOf } from '../formats/little-endian.ts';
export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly data: Uint8Array;
  /** Number of the section that this one refers to. */
  readonly link: number;
}

const HEADER_BYTES = 64;
const ENTRY_BYTES = 64;
const NOBITS = 8;

/** Texts of a string table, by where they begin. */
export function stringsOf(table: Uint8Array): (at: number) => string {
  const decoder = new TextDecoder();
  return (at) => {
    const end = table.indexOf(0, at);
    return at < table.length ? decoder.decode(table.subarray(at, end < 0 ? table.length : end)) : '';
  };
}

/** All sections, by number. */
export function elfSections(bytes: Uint8Array): readonly ElfSection[] {
  if (bytes.length < HEADER_BYTES) return [];
  const v = viewOf(bytes);
  const first = Number(v.getBigUint64(40, true));
  const count = v.getUint16(60, true);
  const names = v.getUint16(62, true);
  if (v.getUint16(58, true) !== ENTRY_BYTES || first + count * ENTRY_BYTES > bytes.length) return [];
  const headers = Array.from({ length: count }, (_, n) => {
    const at = first + n * ENTRY_BYTES;
    const type = v.getUint32(at + 4, true);
    const offset = Number(v.getBigUint64(at + 24, true));
    const size = type === NOBITS ? 0 : Number(v.getBigUint64(at + 32, true));
    return {
      nameAt: v.getUint32(at, true),
      type,
      flags: Number(v.getBigUint64(at + 8, true)),
      address: v.getBigUint64(at + 16, true),
      data: offset + size <= bytes.length ? bytes.subarray(offset, offset + size) : new Uint8Array(0),
      link: v.getUint32(at + 40, true),
    };
  });
  const nameOf = stringsOf(headers[names]?.data ?? new Uint8Array(0));
  return headers.map(({ nameAt, ...rest }) => ({ name: nameOf(nameAt), ...rest }));
}
