/** Chooses the descriptor of the hypervisor while the files with its symbols are read. */

import { Btf } from './btf.ts';
import { type Descriptor, detect, type ImageSymbols, missingSymbols } from './descriptor.ts';
import { Dwarf } from './dwarf.ts';
import { fromTable, resolved } from './resolve.ts';
import type { DebugTypes } from './type-path.ts';

/** A descriptor that the user gives. */
export interface OwnDescriptor {
  readonly descriptor: Descriptor;
  readonly file: string;
}

export class Recognition {
  private readonly own: OwnDescriptor | undefined;
  private readonly kept: Descriptor | undefined;
  private chosen: Descriptor | undefined;
  /** With the numbers of its own table, which may be those of another version. */
  private fallback: Descriptor | undefined;
  private problem: string | undefined;

  /** @param kept the one that a snapshot has kept */
  constructor(own: OwnDescriptor | undefined, kept?: Descriptor) {
    this.own = own;
    this.kept = kept;
  }

  /** With places as numbers; undefined when no file has the symbols of a known hypervisor. */
  get descriptor(): Descriptor | undefined {
    return this.chosen ?? this.kept ?? this.fallback;
  }

  /**
   * A file of the host has been read.
   * @param bytes an ELF file
   * @param name for messages
   */
  offer(symbols: ImageSymbols, bytes: Uint8Array, name: string): void {
    if (this.chosen) return;
    const { own } = this;
    const found = own && !own.descriptor.detect ? own.descriptor : detect(symbols, own && [own.descriptor]);
    if (!found) return;
    try {
      this.chosen = resolved(found, found.contexts?.type === undefined ? {} : { types: typesOf(bytes), file: name });
      this.problem = undefined;
    } catch (error) {
      const why = (error as Error).message;
      this.fallback ??= fromTable(found, why);
      this.problem ??= why;
    }
  }

  /**
   * All files have been read.
   * @param symbols those of all files
   * @returns what is wrong with the descriptor that the user has given, a line each
   */
  conclude(symbols: ImageSymbols): string[] {
    const { own } = this;
    if (!own) return [];
    const missing = missingSymbols(own.descriptor, symbols).map(
      ({ field, symbol }) =>
        `'${field}' names ${symbol}, which is no symbol of the image: correct the name, or give a file that has it with --symbols`,
    );
    const problem =
      this.chosen || !this.problem ? [] : [`${this.problem}: registers are found by their values instead`];
    // Its names help even where its places do not.
    if (!this.descriptor && this.problem) this.chosen = withoutContexts(own.descriptor);
    return [...missing, ...problem].map((what) => `--descriptor ${own.file}: ${what}`);
  }
}

function withoutContexts({ contexts: _, ...rest }: Descriptor): Descriptor {
  return rest;
}

/** The debug information of a file. Kernels without the usual one often have BTF. */
function typesOf(bytes: Uint8Array): DebugTypes {
  const dwarf = new Dwarf(bytes);
  return dwarf.isEmpty ? new Btf(bytes) : dwarf;
}
