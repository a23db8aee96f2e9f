/** A linked program as an ELF file, with its symbols. */
import { viewOf } from '../formats/little-endian.ts';
import type { Linked } from './link.ts';

const [HEADER, SEGMENT, SECTION, SYMBOL] = [64, 56, 64, 24];
const IDENT = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];
const [ET_EXEC, EM_LOONGARCH, EF_SOFT_FLOAT_ABI1] = [2, 258, 0x41];
const PT_LOAD = 1;
const [PF_X, PF_W, PF_R] = [1, 2, 4];
const [SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS] = [1, 2, 3, 8];
const [SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR] = [1, 2, 4];
const SHN_ABS = 0xfff1;
const STT_FUNC = 2;
const STB_GLOBAL = 1;

/** Texts that end with a zero byte, and where each begins. */
class Strings {
  private text = '\0';
  add(text: string): number {
    const at = this.text.length;
    this.text += `${text}\0`;
    return at;
  }
  get bytes(): Uint8Array {
    return new TextEncoder().encode(this.text);
  }
}

interface Part {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly data: Uint8Array | undefined;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entry: number;
}

function symbolTable({ symbols }: Linked, strings: Strings): { data: Uint8Array; locals: number } {
  const list = [...symbols].sort((a, b) => Number(a.global) - Number(b.global));
  const data = new Uint8Array((list.length + 1) * SYMBOL);
  const view = viewOf(data);
  list.forEach(({ name, value, size, isFunction, global, section }, n) => {
    const at = (n + 1) * SYMBOL;
    view.setUint32(at, strings.add(name), true);
    data[at + 4] = ((global ? STB_GLOBAL : 0) << 4) | (isFunction ? STT_FUNC : 0);
    view.setUint16(at + 6, section === undefined ? SHN_ABS : section + 1, true);
    view.setBigUint64(at + 8, BigInt.asUintN(64, value), true);
    view.setBigUint64(at + 16, BigInt(size), true);
  });
  return { data, locals: 1 + list.filter((s) => !s.global).length };
}

function partsOf(linked: Linked): Part[] {
  const strings = new Strings();
  const { data, locals } = symbolTable(linked, strings);
  const plain = { flags: 0, address: 0n, link: 0, info: 0, entry: 0 };
  const program = linked.sections.map(
    (s): Part => ({
      ...plain,
      ...{ name: s.name, type: s.data ? SHT_PROGBITS : SHT_NOBITS, address: s.at, data: s.data, size: s.size },
      flags: SHF_ALLOC | (s.writable ? SHF_WRITE : 0) | (s.executable ? SHF_EXECINSTR : 0),
    }),
  );
  const symtab = { ...plain, name: '.symtab', type: SHT_SYMTAB, data, size: data.length, entry: SYMBOL };
  const strtab = { ...plain, name: '.strtab', type: SHT_STRTAB, data: strings.bytes, size: strings.bytes.length };
  const parts = [...program, { ...symtab, link: program.length + 2, info: locals }, strtab];
  const names = new TextEncoder().encode(`\0${[...parts.map((p) => p.name), '.shstrtab'].join('\0')}\0`);
  return [...parts, { ...plain, name: '.shstrtab', type: SHT_STRTAB, data: names, size: names.length }];
}

/** The bytes of the file. */
export function elfProgram(linked: Linked): Uint8Array<ArrayBuffer> {
  const parts = partsOf(linked);
  const segments = linked.sections;
  let end = HEADER + segments.length * SEGMENT;
  const offsets = parts.map(({ data }) => {
    const at = Math.ceil(end / 16) * 16;
    end = at + (data?.length ?? 0);
    return at;
  });
  const tableAt = Math.ceil(end / 16) * 16;
  const file = new Uint8Array(tableAt + (parts.length + 1) * SECTION);
  const view = viewOf(file);
  const long = (at: number, value: bigint | number): void =>
    view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  const short = (at: number, value: number): void => view.setUint32(at, value, true);
  const half = (at: number, value: number): void => view.setUint16(at, value, true);
  file.set(IDENT);
  half(16, ET_EXEC);
  half(18, EM_LOONGARCH);
  short(20, 1);
  long(24, linked.entry);
  long(32, HEADER);
  long(40, tableAt);
  short(48, EF_SOFT_FLOAT_ABI1);
  [HEADER, SEGMENT, segments.length, SECTION, parts.length + 1, parts.length].forEach((v, n) => {
    half(52 + 2 * n, v);
  });
  segments.forEach(({ at: address, loadedAt, size, data, writable, executable }, n) => {
    const at = HEADER + n * SEGMENT;
    short(at, PT_LOAD);
    short(at + 4, PF_R | (writable ? PF_W : 0) | (executable ? PF_X : 0));
    [offsets[n]!, address, loadedAt, data?.length ?? 0, size, 16].forEach((v, m) => {
      long(at + 8 + 8 * m, v);
    });
  });
  let name = 1;
  parts.forEach(({ name: text, type, flags, address, data, size, link, info, entry }, n) => {
    const at = tableAt + (n + 1) * SECTION;
    short(at, name);
    name += text.length + 1;
    short(at + 4, type);
    [flags, address, offsets[n]!, size].forEach((v, m) => {
      long(at + 8 + 8 * m, v);
    });
    short(at + 40, link);
    short(at + 44, info);
    long(at + 48, 1);
    long(at + 56, entry);
    if (data) file.set(data, offsets[n]!);
  });
  return file;
}
