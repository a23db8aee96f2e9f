/** Relocatable ELF files, as compilers make them. */

import { ImageError } from '../formats/image-error.ts';
import { viewOf } from '../formats/little-endian.ts';
import {
  type AsmObject,
  type ObjectSection,
  type ObjectSymbol,
  RELOCATIONS,
  type Relocation,
  type RelocationName,
} from './object.ts';

const RELOCATABLE = 1;
const [SHT_PROGBITS, SHT_SYMTAB, SHT_RELA, SHT_NOBITS] = [1, 2, 4, 8];
const FLAGS = { write: 1, alloc: 2, execute: 4 } as const;
const [SHN_UNDEF, SHN_ABS] = [0, 0xfff1];
const [STB_GLOBAL, STB_WEAK] = [1, 2];
const [STT_FUNC, STT_SECTION] = [2, 3];
const SYMBOL_BYTES = 24;
const RELA_BYTES = 24;
const NAMES = new Map<number, RelocationName>(
  Object.entries(RELOCATIONS).map(([name, number]) => [number, name as RelocationName]),
);

interface Header {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
}

function textAt(bytes: Uint8Array, at: number): string {
  return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
}

function headersOf(file: Uint8Array): Header[] {
  const view = viewOf(file);
  const at = Number(view.getBigUint64(0x28, true));
  const [entry, count, names] = [0x3a, 0x3c, 0x3e].map((o) => view.getUint16(o, true)) as [number, number, number];
  const namesAt = Number(view.getBigUint64(at + names * entry + 0x18, true));
  return Array.from({ length: count }, (_, n) => {
    const h = at + n * entry;
    const long = (o: number): number => Number(view.getBigUint64(h + o, true));
    const short = (o: number): number => view.getUint32(h + o, true);
    return {
      ...{ name: textAt(file, namesAt + short(0)), type: short(4), flags: long(8), offset: long(0x18) },
      ...{ size: long(0x20), link: short(0x28), info: short(0x2c), align: long(0x30) },
    };
  });
}

/**
 * The parts of a relocatable file that a program has at run time: no debug information.
 * @param name of the file, for messages
 * @throws ImageError when it is none, or has relocations that are not known
 */
export function parseObject(file: Uint8Array, name: string): AsmObject {
  if (viewOf(file).getUint16(0x10, true) !== RELOCATABLE) throw new ImageError(`${name} is no object file`);
  const headers = headersOf(file);
  const wanted = headers.map(
    ({ type, flags }) => (flags & FLAGS.alloc) !== 0 && (type === SHT_PROGBITS || type === SHT_NOBITS),
  );
  /** Numbers of the wanted sections among themselves. */
  const numbers = wanted.map((is, n) => (is ? wanted.slice(0, n).filter(Boolean).length : undefined));
  const symbols = symbolsOf(file, headers, numbers);
  const sections = headers.flatMap((h, n): ObjectSection[] => {
    if (!wanted[n]) return [];
    const relas = headers.filter((r) => r.type === SHT_RELA && r.info === n);
    return [
      {
        name: h.name,
        writable: (h.flags & FLAGS.write) !== 0,
        executable: (h.flags & FLAGS.execute) !== 0,
        align: Math.max(1, h.align),
        size: h.size,
        data: h.type === SHT_NOBITS ? undefined : file.slice(h.offset, h.offset + h.size),
        relocations: relas.flatMap((r) => relocationsOf(file, r, symbols, name)),
      },
    ];
  });
  return { name, sections, symbols: symbols.filter((s) => s.section !== undefined || s.isAbsolute) };
}

type FileSymbol = ObjectSymbol & { readonly isAbsolute: boolean };

function symbolsOf(
  file: Uint8Array,
  headers: readonly Header[],
  numbers: readonly (number | undefined)[],
): FileSymbol[] {
  const table = headers.find((h) => h.type === SHT_SYMTAB);
  if (!table) return [];
  const view = viewOf(file);
  const names = headers[table.link]!.offset;
  return Array.from({ length: table.size / SYMBOL_BYTES }, (_, n) => {
    const at = table.offset + n * SYMBOL_BYTES;
    const info = file[at + 4]!;
    const index = view.getUint16(at + 6, true);
    const isSection = (info & 0xf) === STT_SECTION;
    const own = textAt(file, names + view.getUint32(at, true));
    return {
      // Names of local symbols may come twice, in two sections.
      name: isSection || own === '' ? `.L.symbol.${n}` : own,
      global: info >> 4 !== 0,
      weak: info >> 4 === STB_WEAK,
      section: index === SHN_UNDEF || index === SHN_ABS ? undefined : numbers[index],
      isAbsolute: index === SHN_ABS && info >> 4 === STB_GLOBAL,
      value: view.getBigUint64(at + 8, true),
      size: Number(view.getBigUint64(at + 16, true)),
      isFunction: (info & 0xf) === STT_FUNC,
    };
  });
}

function relocationsOf(file: Uint8Array, rela: Header, symbols: readonly ObjectSymbol[], name: string): Relocation[] {
  const view = viewOf(file);
  return Array.from({ length: rela.size / RELA_BYTES }, (_, n) => {
    const at = rela.offset + n * RELA_BYTES;
    const number = view.getUint32(at + 8, true);
    const type = NAMES.get(number);
    if (!type) throw new ImageError(`${name} has a relocation of type ${number}, which is not known here`);
    return {
      at: Number(view.getBigUint64(at, true)),
      type,
      symbol: symbols[view.getUint32(at + 12, true)]!.name,
      addend: view.getBigInt64(at + 16, true),
    };
  });
}
