/** What identifies the program in an ELF file: its code, and its build id. */
import { viewOf } from '../formats/little-endian.ts';
import { elfSections } from './elf-sections.ts';

const SHT_PROGBITS = 1;
const SHT_NOTE = 7;
const SHF_EXECINSTR = 4;
const NT_GNU_BUILD_ID = 3;
const NOTE_HEADER = 12;
const OWNER = 'GNU\0';

/** A part of the program's code, at the address that it is linked to. */
export interface CodeSection {
  readonly address: bigint;
  /** Begins at the beginning of its buffer. */
  readonly data: Uint8Array;
}

/** A build id, as hexadecimal digits. */
export interface BuildId {
  readonly id: string;
  /** Where the program has the note with it. */
  readonly address: bigint;
}

export interface ElfCode {
  /** Largest first. */
  readonly sections: readonly CodeSection[];
  readonly buildId: BuildId | undefined;
}

const padded = (n: number): number => 4 * Math.ceil(n / 4);

/** The build id in the note at the beginning of `bytes`; undefined when there is none. */
export function buildIdAt(bytes: Uint8Array): string | undefined {
  if (bytes.length < NOTE_HEADER + OWNER.length) return undefined;
  const v = viewOf(bytes);
  const [owner, size, type] = [v.getUint32(0, true), v.getUint32(4, true), v.getUint32(8, true)];
  const from = NOTE_HEADER + padded(owner);
  const isOne =
    type === NT_GNU_BUILD_ID &&
    owner === OWNER.length &&
    size > 0 &&
    from + size <= bytes.length &&
    new TextDecoder().decode(bytes.subarray(NOTE_HEADER, NOTE_HEADER + owner)) === OWNER;
  return isOne
    ? [...bytes.subarray(from, from + size)].map((b) => b.toString(16).padStart(2, '0')).join('')
    : undefined;
}

/** Looks through the notes of a section. */
function buildIdIn(address: bigint, data: Uint8Array): BuildId | undefined {
  for (let at = 0; at + NOTE_HEADER <= data.length; ) {
    const id = buildIdAt(data.subarray(at));
    if (id !== undefined) return { id, address: address + BigInt(at) };
    const v = viewOf(data.subarray(at));
    at += NOTE_HEADER + padded(v.getUint32(0, true)) + padded(v.getUint32(4, true));
  }
  return undefined;
}

/** The code of a file. Files that are damaged, or have only symbols, have none. */
export function elfCode(bytes: Uint8Array): ElfCode {
  const all = elfSections(bytes);
  const sections = all
    .filter((s) => s.type === SHT_PROGBITS && s.flags & SHF_EXECINSTR && s.data.length > 0)
    // Copies: the file may be much larger, and is not kept.
    .map(({ address, data }) => ({ address, data: new Uint8Array(data) }))
    .sort((a, b) => b.data.length - a.data.length);
  const notes = all.filter((s) => s.type === SHT_NOTE).map((s) => buildIdIn(s.address, s.data));
  return { sections, buildId: notes.find((n) => n !== undefined) };
}
