/** `--symbols`: files with names for addresses, beside those of the image: a kernel in a guest, firmware, a program. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { checkElf, isElf, readSymbols } from '../emu/boot/elf.ts';
import { type ElfCode, elfCode } from '../emu/boot/elf-code.ts';
import { type PackedSymbols, packSymbols } from '../emu/boot/packed-symbols.ts';
import { findOffset, fits, type Likeness, likeness, type MemoryReader } from '../emu/debug/code-match.ts';
import { SymbolTable } from '../emu/debug/symbol-table.ts';
import { hex } from '../emu/formats/hex.ts';
import { ImageError } from '../emu/formats/image-error.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';

/** `FILE[,in=host|VM][,offset=N|auto]`. */
export interface SymbolSpec {
  readonly file: string;
  /** −1: the host, otherwise the number of a VM. */
  readonly world: number;
  /** How far the program lies above the addresses that it is linked to; `auto`: found by its code. */
  readonly offset: bigint | 'auto';
}

/** @throws UsageError */
export function parseSymbols(text: string): SymbolSpec {
  const [file, ...options] = text.split(',');
  let world = -1;
  let offset: bigint | 'auto' = 0n;
  if (!file) throw new UsageError(`--symbols: '${text}' names no file: write FILE[,in=host|VM][,offset=N|auto]`);
  for (const option of options) {
    const where = /^in=(host|[1-9]\d{0,3})$/.exec(option);
    const by = /^offset=(-?)(0x[0-9a-f]{1,16}|\d{1,19})$/i.exec(option);
    if (where) world = where[1] === 'host' ? -1 : Number(where[1]);
    else if (option === 'offset=auto') offset = 'auto';
    else if (by) offset = by[1] ? -BigInt(by[2]!) : BigInt(by[2]!);
    else
      throw new UsageError(
        `--symbols: '${option}' is unknown: use in=host, in=N (the number of a VM), offset=N or offset=auto`,
      );
  }
  return { file, world, offset };
}

/** A world as it is now. */
export interface WorldView {
  readonly read: MemoryReader;
  /** Addresses of its code: PC, and those that its registers keep. */
  readonly code: readonly bigint[];
}

/** Undefined for a world that has not run yet. */
export type WorldViews = (world: number) => WorldView | undefined;

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
/** Kernels are linked to the upper half. In the lower half, programs take turns at the same addresses. */
const UPPER_HALF = 1n << 63n;
const PAGE = 0xfffn;
/** Most pages that `offset=auto` looks at in vain. */
const MOST_SEARCHES = 256;

/** A file that has been read. */
class SymbolFile {
  readonly world: number;
  readonly table: SymbolTable;
  private readonly file: string;
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

  constructor({ file, world, offset }: SymbolSpec) {
    const { table, code } = readFile(file);
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

  /** How far the program lies above its own addresses; undefined when that is not known (yet). */
  get offset(): bigint | undefined {
    return this.verdict.kind === 'other' ? undefined : this.offsets[0];
  }

  /** @param memory what is in memory now, for a comparison */
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

  private get place(): string {
    return this.world < 0 ? 'the host' : `VM ${this.world}`;
  }

  private otherProgram(id: string | undefined): string {
    const own = this.code.buildId;
    const what =
      id !== undefined && own
        ? `${basename(this.file)} has build id ${own.id}, and what runs in ${this.place} has ${id}`
        : `the code in ${basename(this.file)} is not what is in the memory of ${this.place}`;
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
          `--symbols: ${basename(this.file)} runs in ${this.place}${movedBy(offset)}, by its code at ${hex(address)}`,
        );
      }
    }
    this.pages.set(page, offset);
    return offset;
  }

  describe(view: WorldView | undefined): string {
    const head = `${basename(this.file)}: ${this.table.size} symbols of ${this.place}`;
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

export class SymbolFiles {
  private readonly loaded: readonly SymbolFile[];
  /** What is in memory; the machine sets it. */
  view: WorldViews = () => undefined;

  /** Reads the files. @throws UsageError when one cannot be used */
  constructor(specs: readonly SymbolSpec[]) {
    this.loaded = specs.map((spec) => new SymbolFile(spec));
  }

  /** The name of an address in a world, by the file that was given first. */
  name(world: number, address: bigint): string | undefined {
    for (const file of this.loaded) {
      const found = file.world === world ? file.name(address, this.view(world)?.read) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Address of a symbol of the host. */
  address(name: string): bigint | undefined {
    for (const { world, offset, table } of this.loaded) {
      const at = world < 0 && offset !== undefined ? table.address(name) : undefined;
      if (at !== undefined) return u64(at + offset!);
    }
    return undefined;
  }

  /** Names of the host. */
  names(): string[] {
    return this.loaded.flatMap(({ world, table }) => (world < 0 ? table.names() : []));
  }

  /** What a snapshot keeps: names of the host. VMs are numbered anew behind it. */
  packed(): PackedSymbols[] {
    return this.loaded.flatMap(({ world, offset, table }) =>
      world < 0 && offset !== undefined ? [packSymbols(world, table.movedBy(offset))] : [],
    );
  }

  /** One line a file, for `monitor symbols`. */
  describe(): string[] {
    return this.loaded.map((file) => file.describe(this.view(file.world)));
  }
}

function readFile(file: string): { readonly table: SymbolTable; readonly code: ElfCode } {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new UsageError(`--symbols: cannot read ${file} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
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
