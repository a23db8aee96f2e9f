/** Names of addresses in the worlds of a program, and what is known of its hypervisor. */
import { readSymbols } from '../../emu/boot/elf.ts';
import { type PackedSymbols, packSymbols, unpackSymbols } from '../../emu/boot/packed-symbols.ts';
import { SymbolTable } from '../../emu/debug/symbol-table.ts';
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { type Descriptor, detect, type ImageSymbols, parseDescriptor } from '../../hv/awareness/descriptor.ts';
import { withoutFiles } from '../../hv/awareness/resolve.ts';

/** What addresses of a machine are called. */
export interface Names {
  readonly symbolize: Symbolizer;
  readonly symbols: ImageSymbols;
  /** The same, for a snapshot. */
  readonly packed: readonly PackedSymbols[];
  /** The descriptor of the hypervisor as JSON, for a snapshot. */
  readonly hypervisor: string | undefined;
}

/**
 * Names from symbols that a snapshot keeps: of the host by the image, of guest N by the N-th guest. Without symbols of guests, the image
 * has those of both worlds, as the labs have.
 * @param descriptor of the hypervisor as JSON; without one it is recognized by its symbols
 */
export function namesOf(packed: readonly PackedSymbols[], descriptor: string | undefined): Names {
  const tables = packed.map((p) => ({ world: p.world, table: new SymbolTable(unpackSymbols(p)) }));
  const host = tables.find(({ world }) => world < 0)?.table ?? new SymbolTable([]);
  const ofWorld = (world: number): readonly SymbolTable[] =>
    world <= 0 || tables.length < 2 ? [host] : tables.filter((t) => t.world === world).map((t) => t.table);
  const symbols = { address: (name: string) => host.address(name), names: () => host.names() };
  const known = descriptor === undefined ? detect(symbols) : parseDescriptor(descriptor, 'its descriptor');
  const hypervisor: Descriptor | undefined = known && withoutFiles(known);
  return {
    packed,
    hypervisor: descriptor ?? (known && JSON.stringify(known)),
    symbolize: (world, address) => {
      for (const table of ofWorld(world)) {
        const name = table.name(address);
        if (name !== undefined) return name;
      }
      return undefined;
    },
    symbols: { ...symbols, descriptor: () => hypervisor },
  };
}

/** The symbols of an image and of its guests. */
export const packedNames = (image: Uint8Array, guests: readonly Uint8Array[]): PackedSymbols[] =>
  [image, ...guests].map((bytes, n) => packSymbols(n === 0 ? -1 : n, readSymbols(bytes)));
