/**
 * Compares the program of a file with what is in memory: whether it is the same program, and where it lies when it does not run at
 * the addresses that it is linked to.
 */
import { buildIdAt, type CodeSection, type ElfCode } from '../boot/elf-code.ts';

/** Up to `length` bytes of memory at a virtual address; fewer where nothing is mapped. */
export type MemoryReader = (address: bigint, length: number) => Uint8Array;

/** The outcome of a comparison. */
export type Likeness =
  | { readonly kind: 'same'; readonly by: 'build id' | 'code' }
  | { readonly kind: 'other'; readonly id: string | undefined }
  | { readonly kind: 'unknown' };

const WORD = 4;
/** Places in the code that are compared, and the words at each. */
const PROBES = 32;
const PROBE_BYTES = 32;
/** Fewer words than this say nothing. */
const ENOUGH_WORDS = 24;
/** Kernels change their own code here and there; another program has hardly a word in common. */
const SAME_SHARE = 0.6;
/** Bytes of a note with a build id. */
const NOTE_BYTES = 64;
/** Lengths of the pieces of memory that are searched in a file, the most telling first. */
const PIECES = [64, 32, 16] as const;
/** A piece that is in the file more often than this says nothing. */
const MOST_PLACES = 8;

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);

/** How many words of two pieces of code are equal. */
function equalWords(a: Uint8Array, b: Uint8Array): number {
  let equal = 0;
  for (let at = 0; at + WORD <= Math.min(a.length, b.length); at += WORD)
    if ([0, 1, 2, 3].every((n) => a[at + n] === b[at + n])) equal++;
  return equal;
}

/** Is the program of a file in memory, `offset` above its own addresses? */
export function likeness({ sections, buildId }: ElfCode, offset: bigint, read: MemoryReader): Likeness {
  if (buildId) {
    const id = buildIdAt(read(u64(buildId.address + offset), NOTE_BYTES));
    if (id !== undefined) return id === buildId.id ? { kind: 'same', by: 'build id' } : { kind: 'other', id };
  }
  const code = sections[0];
  if (!code) return { kind: 'unknown' };
  let [words, same] = [0, 0];
  const probes = Math.min(PROBES, Math.ceil(code.data.length / PROBE_BYTES));
  for (let n = 0; n < probes; n++) {
    const at = Math.floor((code.data.length * n) / probes) & ~(WORD - 1);
    const there = read(u64(code.address + offset + BigInt(at)), PROBE_BYTES);
    const own = code.data.subarray(at, at + there.length);
    // Padding is the same in all programs.
    if (own.every((b) => b === own[0])) continue;
    words += own.length / WORD;
    same += equalWords(own, there);
  }
  if (words < Math.min(ENOUGH_WORDS, code.data.length / WORD / 2)) return { kind: 'unknown' };
  return same / words >= SAME_SHARE ? { kind: 'same', by: 'code' } : { kind: 'other', id: undefined };
}

/** The code of a file at an address of its own; empty where it has none. */
function ownCode({ sections }: ElfCode, address: bigint, length: number): Uint8Array {
  const s = sections.find((c) => address >= c.address && address < c.address + BigInt(c.data.length));
  const at = s ? Number(address - s.address) : 0;
  return s ? s.data.subarray(at, at + length) : new Uint8Array(0);
}

/** Is the code of a file at `address` that of its own address `address - offset`? */
export function fits(code: ElfCode, offset: bigint, address: bigint, read: MemoryReader): boolean {
  const at = u64(address) & ~BigInt(WORD - 1);
  const own = ownCode(code, u64(at - offset), PROBE_BYTES);
  const there = read(at, own.length);
  return there.length >= WORD && equalWords(own, there) * WORD >= SAME_SHARE * there.length;
}

/** Own addresses at which a file has a piece of code. */
function places(sections: readonly CodeSection[], piece: Uint8Array): bigint[] {
  const found: bigint[] = [];
  const pattern = new Uint32Array(new Uint8Array(piece).buffer);
  for (const { address, data } of sections) {
    const words = new Uint32Array(data.buffer, 0, data.length >> 2);
    for (let at = words.indexOf(pattern[0]!); at >= 0; at = words.indexOf(pattern[0]!, at + 1)) {
      if (pattern.every((w, n) => words[at + n] === w)) found.push(address + BigInt(WORD * at));
      if (found.length > MOST_PLACES) return [];
    }
  }
  return found;
}

/**
 * How far a program lies above the addresses of its file, by the code around an address that is executed.
 * @returns undefined when the code there is not that of the file, or is in it several times
 */
export function findOffset(code: ElfCode, address: bigint, read: MemoryReader): bigint | undefined {
  const at = u64(address) & ~BigInt(WORD - 1);
  for (const length of PIECES)
    for (const shift of [0, -length, -length / 2, length]) {
      const from = u64(at + BigInt(shift));
      const piece = read(from, length);
      if (piece.length < length || piece.every((b) => b === piece[0])) continue;
      const found = places(code.sections, piece)
        .map((own) => u64(from - own))
        .filter((offset) => likeness(code, offset, read).kind === 'same');
      if (found.length === 1) return found[0];
    }
  return undefined;
}
