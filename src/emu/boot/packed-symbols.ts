/** Symbols of a world in a form that a snapshot keeps. */
import { isBytes, isEvery, isNumber, isObjectWith, isOptional, isText } from '../state/state-check.ts';
import type { ElfSymbol } from './elf.ts';

export interface PackedSymbols {
  /** −1: the host; otherwise a guest: of the image, the GID that the reference hypervisor gives it; of another file, its VM. */
  readonly world: number;
  /** The file that they are from, when it is not the image or a guest's. */
  readonly file?: string | undefined;
  /** The names in UTF-8, each with a line feed behind it. */
  readonly names: Uint8Array;
  readonly values: BigUint64Array;
  readonly sizes: Float64Array;
  /** 1: a function. */
  readonly functions: Uint8Array;
}

/** @param symbols sorted by address */
export function packSymbols(world: number, symbols: readonly ElfSymbol[], file?: string): PackedSymbols {
  return {
    world,
    file,
    names: new TextEncoder().encode(symbols.map((s) => `${s.name.replaceAll('\n', ' ')}\n`).join('')),
    values: BigUint64Array.from(symbols, (s) => s.value),
    sizes: Float64Array.from(symbols, (s) => s.size),
    functions: Uint8Array.from(symbols, (s) => (s.isFunction ? 1 : 0)),
  };
}

/** The symbols, sorted by address. Names that are missing are left out. */
export function unpackSymbols({ names, values, sizes, functions }: PackedSymbols): readonly ElfSymbol[] {
  return new TextDecoder()
    .decode(names)
    .split('\n')
    .slice(0, Math.min(values.length, sizes.length, functions.length))
    .flatMap((name, n) =>
      name ? [{ name, value: values[n]!, size: Math.max(0, sizes[n]!), isFunction: functions[n] === 1 }] : [],
    )
    .sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
}

/** Does a value from a file have the form? */
export const arePackedSymbols = isEvery(
  isObjectWith({
    world: isNumber,
    file: isOptional(isText),
    names: isBytes,
    values: (v) => v instanceof BigUint64Array,
    sizes: (v) => v instanceof Float64Array && v.every((n) => Number.isSafeInteger(n)),
    functions: isBytes,
  }),
);
