import { ImageError } from '../formats/image-error.ts';
import { viewOf } from '../formats/little-endian.ts';
import { rustName } from '../formats/rust-names.ts';
import { elfSections, stringsOf } from './elf-sections.ts';

const EM_LOONGARCH = 258;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SYMBOL_BYTES = 24;
const STT_FUNC = 2;
const STT_FILE = 4;
const STT_SECTION = 3;
const SHF_ALLOC = 2;
/** Physical addresses have 48 bits; QEMU drops the rest of an ELF's addresses in the same way. */
export const PHYSICAL_MASK = (1n << 48n) - 1n;

/** A part of the image to be copied into memory. */
export interface Segment {
  readonly paddr: bigint;
  readonly vaddr: bigint;
  readonly memsz: number;
  readonly data: Uint8Array;
}

export interface ElfSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly size: number;
  readonly isFunction: boolean;
}

/** The parts of an ELF file that booting and debugging need. */
export interface ElfImage {
  readonly entry: bigint;
  readonly segments: readonly Segment[];
}

/** Does a file begin like an ELF? */
export const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

const badFile = (file: string, what: string, todo: string): ImageError => new ImageError(`${file}: ${what}: ${todo}`);

/** Checks class, byte order and machine. @returns the view of the header @throws ImageError */
function checkHeader(bytes: Uint8Array, file: string): DataView {
  if (bytes[4] !== 2 || bytes[5] !== 1)
    throw badFile(file, 'is not a little-endian ELF64 file', 'build it for loongarch64');
  const header = viewOf(bytes);
  const machine = header.getUint16(18, true);
  if (machine !== EM_LOONGARCH)
    throw badFile(file, `is for ELF machine ${machine}, not LoongArch (${EM_LOONGARCH})`, 'build it for loongarch64');
  return header;
}

/**
 * Checks a file whose sections will be read, for its symbols.
 * @throws ImageError when it is not for LoongArch, cut short or damaged
 */
export function checkElf(bytes: Uint8Array, file: string): void {
  if (bytes.length < 64)
    throw badFile(file, `is ${bytes.length} bytes long, shorter than an ELF header`, 'copy it again');
  const header = checkHeader(bytes, file);
  const first = Number(header.getBigUint64(40, true));
  const [size, count] = [header.getUint16(58, true), header.getUint16(60, true)];
  if (count > 0 && size !== 64)
    throw badFile(file, `has section headers of ${size} bytes`, 'the file is damaged: build it again');
  if (first + count * 64 > bytes.length)
    throw badFile(
      file,
      `is truncated: its section headers end at byte ${first + count * 64} of ${bytes.length}`,
      'copy it again',
    );
  for (let n = 0; n < count; n++) {
    const at = first + n * 64;
    const type = header.getUint32(at + 4, true);
    const end = Number(header.getBigUint64(at + 24, true)) + Number(header.getBigUint64(at + 32, true));
    if (type !== SHT_NOBITS && end > bytes.length)
      throw badFile(file, `is truncated: section ${n} ends at byte ${end} of ${bytes.length}`, 'copy it again');
    if (
      type === SHT_SYMTAB &&
      (header.getUint32(at + 40, true) >= count || header.getBigUint64(at + 32, true) % 24n !== 0n)
    )
      throw badFile(file, 'has a damaged symbol table', 'build it again');
  }
}

/**
 * Reads an ELF64 executable for LoongArch.
 * @param file name for messages
 * @throws ImageError when the file is not an executable for LoongArch, is cut short, or has nothing to load
 */
export function parseElf(bytes: Uint8Array, file: string): ElfImage {
  const bad = (what: string, todo: string): ImageError => badFile(file, what, todo);
  if (bytes.length < 64 || !isElf(bytes)) {
    throw bad(
      bytes.length < 64 ? `is ${bytes.length} bytes long, shorter than an ELF header` : 'is not an ELF file',
      'give an ELF64 executable for loongarch64, or the address of a raw image with --load ADDRESS',
    );
  }
  const header = checkHeader(bytes, file);
  const phoff = Number(header.getBigUint64(32, true));
  const phentsize = header.getUint16(54, true);
  const phnum = header.getUint16(56, true);
  if (phentsize !== 56 && phnum !== 0) throw bad(`has program headers of ${phentsize} bytes`, 'the file is damaged');
  if (phoff + phnum * 56 > bytes.length) throw bad('is truncated inside its program headers', 'copy the file again');
  const segments: Segment[] = [];
  for (let i = 0; i < phnum; i++) {
    const at = phoff + i * 56;
    if (header.getUint32(at, true) !== PT_LOAD) continue;
    const offset = Number(header.getBigUint64(at + 8, true));
    const filesz = Number(header.getBigUint64(at + 32, true));
    const memsz = Number(header.getBigUint64(at + 40, true));
    if (offset + filesz > bytes.length)
      throw bad(`is truncated: segment ${i} ends at byte ${offset + filesz} of ${bytes.length}`, 'copy the file again');
    if (memsz < filesz || memsz > 2 ** 40) throw bad(`segment ${i} has an impossible size`, 'the file is damaged');
    if (memsz === 0) continue;
    segments.push({
      vaddr: header.getBigUint64(at + 16, true),
      paddr: header.getBigUint64(at + 24, true) & PHYSICAL_MASK,
      memsz,
      data: bytes.subarray(offset, offset + filesz),
    });
  }
  if (segments.length === 0) throw bad('has nothing to load', 'give an executable, not an object file');
  return { entry: header.getBigUint64(24, true) & PHYSICAL_MASK, segments };
}

/** Where kernels without a window for direct mapping are linked: in a map of all memory, or in the last 4 GiB. */
const LINEAR_MAPS = [
  { from: 0xffff_8000_0000_0000n, mask: (1n << 47n) - 1n },
  { from: 0xffff_ffff_0000_0000n, mask: (1n << 32n) - 1n },
] as const;

/**
 * An image that is linked to the upper half, with physical addresses equal to the virtual ones: its low 48 bits are no RAM. Its
 * code at the entry does not depend on its address, and its kernel has mapped physical memory linearly; so it goes where the
 * first of the two usual maps has RAM. Other images are returned as they are.
 * @param inRam is a range of bytes RAM?
 */
export function lowered(image: ElfImage, inRam: (base: number, size: number) => boolean): ElfImage {
  const { segments, entry } = image;
  if (!segments.every((s) => s.paddr === (s.vaddr & PHYSICAL_MASK))) return image;
  const map = LINEAR_MAPS.find(({ from, mask }) =>
    segments.every((s) => s.vaddr >= from && inRam(Number(s.vaddr & mask), s.memsz)),
  );
  if (!map) return image;
  const { mask } = map;
  return { entry: entry & mask, segments: segments.map((s) => ({ ...s, paddr: s.vaddr & mask })) };
}

/**
 * Named symbols by address; empty when the file is stripped or its sections are damaged, since symbols are optional. A kernel
 * with debug information has 180 000 symbols. Reading them takes a fifth of a second, so booting does not wait for them.
 */
export function readSymbols(bytes: Uint8Array): readonly ElfSymbol[] {
  const sections = elfSections(bytes);
  const out: ElfSymbol[] = [];
  for (const { type: kind, data, link } of sections) {
    if (kind !== SHT_SYMTAB) continue;
    const nameOf = stringsOf(sections[link]?.data ?? new Uint8Array(0));
    const v = viewOf(data);
    for (let at = 0; at + SYMBOL_BYTES <= data.length; at += SYMBOL_BYTES) {
      const nameAt = v.getUint32(at, true);
      const type = v.getUint8(at + 4) & 0xf;
      const section = v.getUint16(at + 6, true);
      if (nameAt === 0 || section === 0 || type === STT_FILE || type === STT_SECTION) continue;
      // A label in debug information is an offset there, and no address.
      if (sections[section] && !(sections[section].flags & SHF_ALLOC)) continue;
      const name = nameOf(nameAt);
      if (!name || name.startsWith('.L')) continue;
      const size = Number(v.getBigUint64(at + 16, true));
      out.push({ name, value: v.getBigUint64(at + 8, true), size, isFunction: type === STT_FUNC });
    }
  }
  return out.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
}

const readableNames = new WeakMap<ElfSymbol, string>();

/** The name of a symbol as its programmer wrote it. */
function readable(s: ElfSymbol): string {
  let name = readableNames.get(s);
  if (name === undefined) readableNames.set(s, (name = rustName(s.name)));
  return name;
}

/** `name+0x10` for an address, from symbols sorted by address; undefined when none is near. */
export function symbolize(symbols: readonly ElfSymbol[], address: bigint): string | undefined {
  let lo = 0;
  let hi = symbols.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (symbols[mid]!.value <= address) lo = mid + 1;
    else hi = mid;
  }
  for (let i = lo - 1; i >= 0; i--) {
    const s = symbols[i]!;
    const offset = address - s.value;
    if (offset > 0x10000n) return undefined;
    // A label without size (assembly) reaches to the next symbol; one with a size ends there.
    if (s.size === 0 || offset < BigInt(s.size))
      return `${readable(s)}${offset === 0n ? '' : `+0x${offset.toString(16)}`}`;
  }
  return undefined;
}
