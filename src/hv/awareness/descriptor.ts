/**
 * Descriptors: data files about hypervisors. Those that come with the program (descriptors/*.json) are chosen by the symbols of
 * the image; `--descriptor FILE` gives another one. docs/descriptors.md says what each field means.
 */
import { checkDescriptor } from './descriptor-check.ts';
import { descriptorTexts } from './descriptor-texts.ts';

/** Where something is from the address of a context: `0x100`, `-880`, `arch.pc`, `CTX_PC`; an arrow reads an address, `arch.csr->csrs`. */
export type Place = string | number;

/** Registers in memory, 8 bytes each. A place alone: all general registers, by number. */
export type Block =
  | Place
  | {
      readonly at: Place;
      /** Their names in the order in which they lie there; null: a gap. `header`: by the lines `X(NAME, slot)` of the header file. */
      readonly registers?: readonly (string | null)[] | 'header';
      /** Their names, where each lies at 8 times its own number. */
      readonly numbered?: readonly string[];
      /** Of the host: its stack pointer is so many bytes above the block. */
      readonly sp?: number;
    };

/** The parts of a context. */
export interface Layout {
  readonly gpr: Block;
  readonly pc?: Place;
  readonly csr?: Block;
  readonly host?: Block;
  readonly gid?: Place;
}

/** Where contexts are: in a register at the exit, or in an array of pointers or of contexts. */
export interface Contexts extends Layout {
  readonly pointer?: string;
  readonly pointers?: string;
  readonly objects?: string;
  readonly most?: number;
  readonly stride?: number;
  /** A header file of the hypervisor; the names of places are its `#define` lines. */
  readonly header?: string;
  /** A structure in the debug information; the names of places are its members. */
  readonly type?: string;
  /** Places as numbers, for a file without debug information, and of which version they are. */
  readonly otherwise?: Layout & { readonly of: string };
}

export interface Descriptor {
  readonly name: string;
  readonly detect?: readonly string[];
  readonly entry?: string;
  readonly transition: readonly string[];
  readonly contexts?: Contexts;
  /** Where the places are from, if they are not the descriptor's own; the program writes it. */
  readonly source?: string;
}

/** Symbols of the booted image. */
export interface ImageSymbols {
  /** Address of a symbol. */
  readonly address: (name: string) => bigint | undefined;
  readonly names: () => readonly string[];
  /** The descriptor that was chosen when the symbols were read, with places as numbers. */
  readonly descriptor?: () => Descriptor | undefined;
}

/** A data file. @param file for messages @throws Error naming the field and what to do */
export function parseDescriptor(text: string, file: string): Descriptor {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (e) {
    throw new Error(`${file}: is no JSON (${(e as Error).message}): correct it there`);
  }
  const wrong = checkDescriptor(data);
  if (wrong) throw new Error(`${file}: ${wrong.field ? `'${wrong.field}' ` : ''}${wrong.what}: ${wrong.todo}`);
  return data as Descriptor;
}

/** All descriptors that come with the program. */
export const descriptors = (): Descriptor[] => descriptorTexts().map(({ file, text }) => parseDescriptor(text, file));

/** The descriptor of the hypervisor with these symbols, if one is known. */
export function detect(symbols: ImageSymbols, known: readonly Descriptor[] = descriptors()): Descriptor | undefined {
  const has = (wanted: string): boolean => {
    const part = /^\/(.+)\/$/.exec(wanted)?.[1];
    return part === undefined ? symbols.address(wanted) !== undefined : symbols.names().some((n) => n.includes(part));
  };
  return known.find((d) => d.detect?.every(has));
}

/** What a descriptor names and an image does not have, with the fields that name it. */
export function missingSymbols(d: Descriptor, symbols: ImageSymbols): { field: string; symbol: string }[] {
  const { entry, transition, detect: wanted = [], contexts } = d;
  const named = [
    ...(entry === undefined ? [] : [['entry', entry] as const]),
    ...transition.map((s) => ['transition', s] as const),
    ...wanted.filter((s) => !s.startsWith('/')).map((s) => ['detect', s] as const),
    ...(contexts?.pointers === undefined ? [] : [['contexts.pointers', contexts.pointers] as const]),
    ...(contexts?.objects === undefined ? [] : [['contexts.objects', contexts.objects] as const]),
  ];
  return named.flatMap(([field, symbol]) => (symbols.address(symbol) === undefined ? [{ field, symbol }] : []));
}
