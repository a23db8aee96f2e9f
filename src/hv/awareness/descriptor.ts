/**
 * Descriptors: data files about known hypervisors (descriptors/*.json). A descriptor is chosen by the
 * symbols of the booted image.
 *
 *   name        for messages
 *   detect      symbols that the image must all have; `/text/` is any symbol that contains the text
 *   entry       the function that enters guests: called with the host's registers in place
 *   transition  functions that exchange register files: while a CPU is in them, its registers belong to neither world
 *   contexts    where saved contexts lie, if that is known: `pointers` is the symbol of an array of pointers to them, `most`
 *               its length, `header` a header file of the hypervisor with their layout (see contextHeader). Without it the
 *               layout is learned from the hypervisor's own code (save-area.ts)
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface Descriptor {
  readonly name: string;
  readonly detect: readonly string[];
  readonly entry?: string;
  readonly transition: readonly string[];
  readonly contexts?: { readonly pointers: string; readonly most: number; readonly header: string };
}

/** Symbols of the booted image. */
export interface ImageSymbols {
  /** Address of a symbol. */
  readonly address: (name: string) => bigint | undefined;
  readonly names: () => readonly string[];
}

const FOLDER = new URL('./descriptors/', import.meta.url);

const isText = (v: unknown): v is string => typeof v === 'string' && v !== '';
const isTexts = (v: unknown): v is string[] => Array.isArray(v) && v.every(isText);

/** Checks a data file. @throws Error naming what is wrong with it */
export function parseDescriptor(text: string, file: string): Descriptor {
  const bad = (what: string): Error => new Error(`${file}: ${what}: see src/hv/awareness/descriptor.ts for the format`);
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (e) {
    throw bad(`is no JSON (${(e as Error).message})`);
  }
  if (data === null || typeof data !== 'object') throw bad('is no JSON object');
  const d = data as Record<string, unknown>;
  if (!isText(d.name)) throw bad("'name' is missing");
  if (!isTexts(d.detect) || d.detect.length === 0) throw bad("'detect' is no list of symbols");
  if (!isTexts(d.transition)) throw bad("'transition' is no list of functions");
  if (d.entry !== undefined && !isText(d.entry)) throw bad("'entry' is no function");
  const { contexts } = d as { contexts?: Record<string, unknown> };
  if (
    contexts !== undefined &&
    !(isText(contexts.pointers) && Number.isInteger(contexts.most) && isText(contexts.header))
  )
    throw bad("'contexts' needs pointers, most and header");
  return d as unknown as Descriptor;
}

/** The text of a descriptor's header file: in a checkout among the hypervisor's sources, in a bundle beside the program. */
export function contextHeader(name: string): string {
  const source = new URL(`../${name}`, import.meta.url);
  return readFileSync(existsSync(source) ? source : new URL(name, import.meta.url), 'utf8');
}

/** All descriptors that come with the program. */
export function descriptors(): Descriptor[] {
  const files = readdirSync(FOLDER).filter((f) => f.endsWith('.json'));
  return files.sort().map((f) => parseDescriptor(readFileSync(new URL(f, FOLDER), 'utf8'), f));
}

/** The descriptor of the hypervisor with these symbols, if one is known. */
export function detect(symbols: ImageSymbols, known: readonly Descriptor[] = descriptors()): Descriptor | undefined {
  const has = (wanted: string): boolean => {
    const part = /^\/(.+)\/$/.exec(wanted)?.[1];
    return part === undefined ? symbols.address(wanted) !== undefined : symbols.names().some((n) => n.includes(part));
  };
  return known.find((d) => d.detect.every(has));
}
