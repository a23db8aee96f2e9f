/** `--symbols`: files with names for addresses, beside those of the image: a kernel in a guest, firmware, a program. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isElf, readSymbols } from '../emu/boot/elf.ts';
import { SymbolTable } from '../emu/debug/symbol-table.ts';
import { hex } from '../emu/formats/hex.ts';
import { UsageError } from './errors.ts';

/** `FILE[,in=host|VM][,offset=N]`. */
export interface SymbolSpec {
  readonly file: string;
  /** −1: the host, otherwise the number of a VM. */
  readonly world: number;
  /** How far the program lies above the addresses that it is linked to. */
  readonly offset: bigint;
}

/** @throws UsageError */
export function parseSymbols(text: string): SymbolSpec {
  const [file, ...options] = text.split(',');
  let world = -1;
  let offset = 0n;
  if (!file) throw new UsageError(`--symbols: '${text}' names no file: write FILE[,in=host|VM][,offset=N]`);
  for (const option of options) {
    const where = /^in=(host|[1-9]\d{0,3})$/.exec(option);
    const by = /^offset=(-?)(0x[0-9a-f]{1,16}|\d{1,19})$/i.exec(option);
    if (where) world = where[1] === 'host' ? -1 : Number(where[1]);
    else if (by) offset = by[1] ? -BigInt(by[2]!) : BigInt(by[2]!);
    else throw new UsageError(`--symbols: '${option}' is unknown: use in=host, in=N (the number of a VM) or offset=N`);
  }
  return { file, world, offset };
}

/** A file that has been read. */
interface Loaded extends SymbolSpec {
  readonly table: SymbolTable;
}

export class SymbolFiles {
  private readonly loaded: readonly Loaded[];

  /** Reads the files. @throws UsageError when one cannot be used */
  constructor(specs: readonly SymbolSpec[]) {
    this.loaded = specs.map((spec) => ({ ...spec, table: readTable(spec.file) }));
  }

  /** The name of an address in a world, by the file that was given first. */
  name(world: number, address: bigint): string | undefined {
    for (const { world: of, offset, table } of this.loaded) {
      const found = of === world ? table.name(BigInt.asUintN(64, address - offset)) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Address of a symbol of the host. */
  address(name: string): bigint | undefined {
    for (const { world, offset, table } of this.loaded) {
      const at = world < 0 ? table.address(name) : undefined;
      if (at !== undefined) return BigInt.asUintN(64, at + offset);
    }
    return undefined;
  }

  /** Names of the host. */
  names(): string[] {
    return this.loaded.flatMap(({ world, table }) => (world < 0 ? table.names() : []));
  }

  /** One line a file, for `monitor symbols`. */
  describe(): string[] {
    return this.loaded.map(({ file, world, offset, table }) => {
      const moved = offset === 0n ? '' : `, moved by ${hex(offset)}`;
      return `${basename(file)}: ${table.size} symbols of ${world < 0 ? 'the host' : `VM ${world}`}${moved}`;
    });
  }
}

function readTable(file: string): SymbolTable {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new UsageError(`--symbols: cannot read ${file} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
  if (!isElf(bytes))
    throw new UsageError(`--symbols: ${file} is no ELF file: give the file that the image was made from`);
  const symbols = readSymbols(bytes);
  if (symbols.length === 0)
    throw new UsageError(`--symbols: ${file} has no symbol table, it was stripped: give the file before that`);
  return new SymbolTable(symbols);
}
