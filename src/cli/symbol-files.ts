/** `--symbols`: files with names for addresses, beside those of the image: a kernel in a guest, firmware, a program. */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type PackedSymbols, packSymbols } from '../emu/boot/packed-symbols.ts';
import type { SymbolStore } from '../emu/debug/symbolizer.ts';
import type { ImageSymbols } from '../hv/awareness/descriptor.ts';
import type { Recognition } from '../hv/awareness/recognition.ts';
import { UsageError } from './errors.ts';
import { KeptSymbols, type Names, SymbolFile, type WorldView } from './symbol-file.ts';

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

/** Undefined for a world that has not run yet. */
export type WorldViews = (world: number) => WorldView | undefined;

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);

/** Most files that `monitor symbols` adds. */
const MOST_ADDED = 64;

export class SymbolFiles implements SymbolStore {
  private readonly given: readonly SymbolSpec[];
  private readonly loaded: Names[];
  private added = 0;
  /** What is in memory; the machine sets it. */
  view: WorldViews = () => undefined;
  /** Reads a file that a client of a port names; the program sets it. */
  read: (name: string) => Uint8Array = () => {
    throw new Error('files cannot be named here');
  };

  /**
   * Reads the files.
   * @param recognition is told of files of the host
   * @param kept symbols from a snapshot; a file that is given replaces that of the same world and name
   * @throws UsageError when one cannot be used
   */
  constructor(specs: readonly SymbolSpec[], kept: readonly PackedSymbols[] = [], recognition?: Recognition) {
    this.given = specs;
    const given = specs.map((spec) => {
      const bytes = readFile(spec.file);
      const file = new SymbolFile(spec, bytes);
      if (spec.world < 0) recognition?.offer(symbolsOf(file), bytes, basename(spec.file));
      return file;
    });
    const older = kept.map((packed) => new KeptSymbols(packed));
    this.loaded = [...given, ...older.filter((k) => !given.some((g) => g.world === k.world && g.file === k.file))];
  }

  /**
   * Adds a file of the clients' folder; an older one of the same world and name is replaced.
   * @param text as behind `--symbols`
   * @throws Error when it cannot be used: then nothing has changed
   */
  add(text: string): void {
    if (this.added >= MOST_ADDED)
      throw new Error(`${MOST_ADDED} files were added, which is the most: give files at the start with --symbols`);
    const file = this.open(text);
    this.added++;
    const old = this.loaded.findIndex((f) => f.world === file.world && f.file === file.file);
    if (old >= 0) this.loaded.splice(old, 1);
    this.loaded.unshift(file);
  }

  /** The path of the program of a world, where a file is given that is not moved. */
  program(world: number): string | undefined {
    const file = this.given.find((spec) => spec.world === world && spec.offset === 0n)?.file;
    return file && resolve(file);
  }

  private open(text: string): SymbolFile {
    try {
      const spec = parseSymbols(text);
      return new SymbolFile(spec, this.read(spec.file));
    } catch (error) {
      // Errors of the command line name its option.
      throw error instanceof UsageError ? new Error(error.message.replace(/^--symbols: /, '')) : error;
    }
  }

  get count(): number {
    return this.loaded.length;
  }

  /** The name of an address in a world, by the file that was added last or, of those of the command line, given first. */
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

  /** What a snapshot keeps. */
  packed(): PackedSymbols[] {
    return this.loaded.flatMap(({ world, offset, table, file }) =>
      offset === undefined ? [] : [packSymbols(world, table.movedBy(offset), file)],
    );
  }

  /** One line a file, for `monitor symbols`. */
  describe(): string[] {
    return this.loaded.map((file) => file.describe(this.view(file.world)));
  }
}

const symbolsOf = ({ table }: Names): ImageSymbols => ({
  address: (name) => table.address(name),
  names: () => table.names(),
});

function readFile(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`--symbols: cannot read ${file} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
}
