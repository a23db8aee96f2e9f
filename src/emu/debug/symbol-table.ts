/** Symbols of one file for the addresses of one world, wherever the code runs: linked, moved, or in a map of physical memory. */
import { type ElfSymbol, symbolize } from '../boot/elf.ts';

const PHYSICAL = (1n << 48n) - 1n;

export class SymbolTable {
  private readonly symbols: readonly ElfSymbol[];
  /** The same by the 48 low bits of their addresses, sorted; made when it is first needed. */
  private byPlace: readonly ElfSymbol[] | undefined;

  /** @param symbols sorted by address */
  constructor(symbols: readonly ElfSymbol[]) {
    this.symbols = symbols;
  }

  get size(): number {
    return this.symbols.length;
  }

  /**
   * `name+0x10` for an address; undefined when no symbol is near. An address in another segment than the symbols is looked up by
   * its 48 low bits: a direct mapping window, or physical memory before the program has moved to its own addresses.
   */
  name(address: bigint): string | undefined {
    const found = symbolize(this.symbols, address);
    if (found !== undefined || this.symbols.length === 0) return found;
    const segment = address >> 48n;
    if (segment === this.symbols.at(-1)!.value >> 48n) return undefined;
    this.byPlace ??= this.symbols
      .filter((s) => s.value >> 48n !== 0n)
      .map((s) => ({ ...s, value: s.value & PHYSICAL }))
      .sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
    return symbolize(this.byPlace, address & PHYSICAL);
  }

  /** Address of a symbol. */
  address(name: string): bigint | undefined {
    return this.symbols.find((s) => s.name === name)?.value;
  }

  /** The symbols of a program that lies higher by an offset. */
  movedBy(offset: bigint): readonly ElfSymbol[] {
    return this.symbols.map((s) => ({ ...s, value: BigInt.asUintN(64, s.value + offset) }));
  }

  names(): string[] {
    return this.symbols.map((s) => s.name);
  }
}
