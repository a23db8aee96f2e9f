/** One file of `--symbols`: what it names, and whether it is the file of what runs. */
import { basename } from 'node:path';
import { checkElf, isElf, readSymbols } from '../emu/boot/elf.ts';
import { type ElfCode, elfCode } from '../emu/boot/elf-code.ts';
import { type PackedSymbols, unpackSymbols } from '../emu/boot/packed-symbols.ts';
import { findOffset, fits, type Likeness, likeness, type MemoryReader } from '../emu/debug/code-match.ts';
import { SymbolTable } from '../emu/debug/symbol-table.ts';
import { hex } from '../emu/formats/hex.ts';
import { ImageError } from '../emu/formats/image-error.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';

/** A world as it is now. */
export interface WorldView {
  readonly read: MemoryReader;
  /** Addresses of its code: PC, and those that its registers keep. */
  readonly code: readonly bigint[];
}

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
/** Kernels are linked to the upper half. In the lower half, programs take turns at the same addresses. */
const UPPER_HALF = 1n << 63n;
const PAGE = 0xfffn;
/** Most pages that `offset=auto` looks at in vain. */
const MOST_SEARCHES = 256;

/** Symbols of a world from one file, in the form in which {@link SymbolFiles} asks for them. */
export interface Names {
  /** −1: the host, otherwise the number of a VM. */
  readonly world: number;
  readonly table: SymbolTable;
  /** How far the program lies above its own addresses; undefined when that is not known (yet). */
  readonly offset: bigint | undefined;
  /** @param memory what is in memory now, for a comparison */
  name(address: bigint, memory: MemoryReader | undefined): string | undefined;
  /** A line for `monitor symbols`. */
  describe(view: WorldView | undefined): string;
  readonly file: string;
}

const worldName = (world: number): string => (world < 0 ? 'the host' : `VM ${world}`);

/** Symbols that a snapshot has kept: they were compared with memory when they were read. */
export class KeptSymbols implements Names {
  readonly file: string;
  readonly world: number;
  readonly table: SymbolTable;
  readonly offset = 0n;

  constructor(packed: PackedSymbols) {
    this.file = packed.file ?? 'the image';
    this.world = packed.world;
    this.table = new SymbolTable(unpackSymbols(packed));
  }

  name(address: bigint): string | undefined {
    return this.table.name(address);
  }

  describe(): string {
    return `${basename(this.file)}: ${this.table.size} symbols of ${worldName(this.world)}, kept in the snapshot`;
  }
}

/** A file that has been read. */
export class SymbolFile implements Names {
  readonly world: number;
  readonly table: SymbolTable;
  readonly file: string;
  private readonly auto: boolean;
  private readonly code: ElfCode;
  /** The offsets of the program: the one given, or those found, the last one first. */
  private readonly offsets: bigint[];
  /** Pages of which `offset=auto` knows whether the program is there. */
  private readonly pages = new Map<bigint, bigint | undefined>();
  private searches = 0;
  private verdict: Likeness = { kind: 'unknown' };
  /** Comparisons without an outcome are made ever more seldom. */
  private asked = 0;

  /**
   * @param offset how far the program lies above its own addresses; `auto`: found by its code
   * @param bytes the file's content
   * @throws UsageError when it cannot be used
   */
  constructor({ file, world, offset }: { file: string; world: number; offset: bigint | 'auto' }, bytes: Uint8Array) {
    const { table, code } = symbolsIn(file, bytes);
    this.file = file;
    this.world = world;
    this.table = table;
    this.code = code;
    this.auto = offset === 'auto';
    if (this.auto && code.sections.length === 0)
      throw new UsageError(
        `--symbols: ${file} has no code to be found by offset=auto: give offset=N, or the whole file`,
      );
    this.offsets = offset === 'auto' ? [] : [offset];
  }

  get offset(): bigint | undefined {
    return this.verdict.kind === 'other' ? undefined : this.offsets[0];
  }

  name(address: bigint, memory: MemoryReader | undefined): string | undefined {
    const offset = this.auto ? this.found(address, memory) : this.offsets[0]!;
    const name = offset === undefined ? undefined : this.table.name(u64(address - offset));
    if (name === undefined) return undefined;
    return this.auto || this.isRight(memory) ? name : undefined;
  }

  /** Is it not known to be another program's file? Says so, once, when it is. */
  private isRight(memory: MemoryReader | undefined): boolean {
    const isPower = (this.asked & (this.asked + 1)) === 0;
    if (this.verdict.kind === 'unknown' && this.isKernel && memory && isPower) {
      this.verdict = likeness(this.code, this.offsets[0]!, memory);
      if (this.verdict.kind === 'other') say(`warning: --symbols: ${this.otherProgram(this.verdict.id)}`);
    }
    if (this.verdict.kind === 'unknown') this.asked++;
    return this.verdict.kind !== 'other';
  }

  private get isKernel(): boolean {
    const [code] = this.code.sections;
    return code !== undefined && code.address >= UPPER_HALF;
  }

  private otherProgram(id: string | undefined): string {
    const own = this.code.buildId;
    const what =
      id !== undefined && own
        ? `${basename(this.file)} has build id ${own.id}, and what runs in ${worldName(this.world)} has ${id}`
        : `the code in ${basename(this.file)} is not what is in the memory of ${worldName(this.world)}`;
    return `${what}: give the file that it was made from${id === undefined ? ', or offset=auto if it runs at another address' : ''}; its names are not used`;
  }

  private found(address: bigint, memory: MemoryReader | undefined): bigint | undefined {
    const page = address & ~PAGE;
    if (this.pages.has(page)) return this.pages.get(page);
    if (!memory) return undefined;
    let offset = this.offsets.find((o) => fits(this.code, o, address, memory));
    if (offset === undefined) {
      if (this.searches >= MOST_SEARCHES) return undefined;
      this.searches++;
      offset = findOffset(this.code, address, memory);
      if (offset !== undefined && !this.offsets.includes(offset)) {
        this.offsets.unshift(offset);
        this.searches = 0;
        say(
          `--symbols: ${basename(this.file)} runs in ${worldName(this.world)}${movedBy(offset)}, by its code at ${hex(address)}`,
        );
      }
    }
    this.pages.set(page, offset);
    return offset;
  }

  describe(view: WorldView | undefined): string {
    const head = `${basename(this.file)}: ${this.table.size} symbols of ${worldName(this.world)}`;
    if (this.auto) {
      for (const address of view?.code ?? []) if (this.offsets.length === 0) this.found(address, view!.read);
      const all = this.offsets.map((o) => movedBy(o).slice(2));
      if (all.length > 0) return `${head}, ${all.join(' and ')} (found by its code)`;
      const why = view
        ? `its code is not at PC ${hex(view.code[0]!)}, nor where the vectors and the return address are`
        : 'nothing has run there yet';
      return `${head}, offset=auto has found nothing: ${why}`;
    }
    const offset = this.offsets[0]!;
    const now = view && this.code.sections.length > 0 ? likeness(this.code, offset, view.read) : undefined;
    const moved = offset === 0n ? '' : movedBy(offset);
    if (now?.kind === 'same') return `${head}${moved}; its ${now.by === 'code' ? 'code is' : 'build id is'} in memory`;
    if (now?.kind === 'other' && this.isKernel) return `${head}${moved}; wrong: ${this.otherProgram(now.id)}`;
    return `${head}${moved}; its code is not in memory now`;
  }
}

const movedBy = (offset: bigint): string => {
  const signed = BigInt.asIntN(64, offset);
  return signed === 0n
    ? ', at its own addresses'
    : `, moved by ${signed < 0n ? '-' : ''}${hex(signed < 0n ? -signed : signed)}`;
};

/** Symbols and code of an ELF file. @throws UsageError */
function symbolsIn(file: string, bytes: Uint8Array): { readonly table: SymbolTable; readonly code: ElfCode } {
  if (!isElf(bytes))
    throw new UsageError(`--symbols: ${file} is no ELF file: give the file that the image was made from`);
  try {
    checkElf(bytes, file);
  } catch (error) {
    if (error instanceof ImageError) throw new UsageError(`--symbols: ${error.message}`);
    throw error;
  }
  const symbols = readSymbols(bytes);
  if (symbols.length === 0)
    throw new UsageError(`--symbols: ${file} has no symbol table, it was stripped: give the file before that`);
  return { table: new SymbolTable(symbols), code: elfCode(bytes) };
}
