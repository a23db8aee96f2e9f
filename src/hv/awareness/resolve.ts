/** Turns the names in a descriptor's places into numbers: by a header file, by debug information, or by the descriptor's own table. */
import { CSRS } from '../../emu/cpu/csr-table.ts';
import type { Block, Contexts, Descriptor, Layout, Place } from './descriptor.ts';
import { contextHeader } from './descriptor-texts.ts';
import type { DebugTypes } from './type-path.ts';

/** Numbers of a header file's `#define` lines. */
export function headerNumbers(header: string): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const m of header.matchAll(/^#define (\w+) (0x[0-9a-f]+|\d+)/gm)) out.set(m[1]!, Number(m[2]));
  return out;
}

/** CSRs by slot: the lines `X(NAME, slot)` of a header file. Slots without one are null. */
export function headerSlots(header: string): (string | null)[] {
  const out: (string | null)[] = [];
  for (const m of header.matchAll(/\bX\((\w+), (\d{1,3})\)/g)) {
    const slot = Number(m[2]);
    while (out.length <= slot) out.push(null);
    if (CSRS.some((r) => r.name === m[1])) out[slot] = m[1]!;
  }
  return out;
}

/** A place as numbers. @throws Error when a name is not known */
type Resolver = (place: Place) => string;

const isNumber = (part: string): boolean => /^-?(0x[0-9a-f]+|\d+)$/i.test(part);

const byNumbers =
  (numbers: ReadonlyMap<string, number>, where: string): Resolver =>
  (place) =>
    `${place}`
      .split('->')
      .map((part) => {
        if (isNumber(part)) return part;
        const n = numbers.get(part);
        if (n === undefined) throw new Error(`${part} is missing in ${where}`);
        return `${n}`;
      })
      .join('->');

const byType =
  (types: DebugTypes, type: string): Resolver =>
  (place) =>
    isNumber(`${place}`.split('->')[0]!) ? `${place}` : types.offsets(type, `${place}`).join('->');

function block(b: Block, resolve: Resolver, header: string | undefined): Block {
  if (typeof b !== 'object') return resolve(b);
  const registers = b.registers === 'header' ? headerSlots(header ?? '') : b.registers;
  return { ...b, at: resolve(b.at), ...(registers && { registers }) };
}

function layout({ gpr, pc, csr, host, gid }: Layout, resolve: Resolver, header?: string): Layout {
  return {
    gpr: block(gpr, resolve, header),
    ...(pc !== undefined && { pc: resolve(pc) }),
    ...(csr !== undefined && { csr: block(csr, resolve, header) }),
    ...(host !== undefined && { host: block(host, resolve, header) }),
    ...(gid !== undefined && { gid: resolve(gid) }),
  };
}

const plain = byNumbers(new Map(), 'the descriptor: it is no number, and there is no header and no type');

/** What names are looked up in. */
export interface Sources {
  /** Debug information of a file, and its name for messages. */
  readonly types?: DebugTypes;
  readonly file?: string;
  /** Reads a header file; left out: one that comes with the program. */
  readonly header?: (name: string) => string;
}

/** The places of contexts, as numbers. @throws Error naming what is missing */
function numbers(c: Contexts, { types, header: read = contextHeader }: Sources): Layout {
  if (c.header !== undefined) {
    const header = read(c.header);
    return layout(c, byNumbers(headerNumbers(header), c.header), header);
  }
  if (c.type === undefined) return layout(c, plain);
  if (!types || types.isEmpty) throw new Error(`there is no debug information with the structure ${c.type}`);
  return layout(c, byType(types, c.type));
}

/** The descriptor with numbers only, which needs no files any more. @throws Error when a place is not known */
export function resolved(d: Descriptor, sources: Sources = {}): Descriptor {
  const { contexts } = d;
  if (!contexts) return d;
  const { header, type, otherwise, ...rest } = contexts;
  const { file } = sources;
  try {
    return {
      ...d,
      contexts: { ...rest, ...numbers(contexts, sources) },
      ...(type !== undefined && file !== undefined && { source: `offsets from the debug information of ${file}` }),
    };
  } catch (error) {
    throw new Error(`${d.name}: ${(error as Error).message}`);
  }
}

/** The descriptor with the numbers of its own table, if it has one. @param why its names are not known */
export function fromTable(d: Descriptor, why: string): Descriptor | undefined {
  const { header, type, otherwise, ...rest } = d.contexts ?? { gpr: 0 };
  if (!otherwise) return undefined;
  const { of, ...parts } = otherwise;
  return {
    ...d,
    contexts: { ...rest, ...layout(parts, plain) },
    source: `offsets of ${of}, because ${why.replace(`${d.name}: `, '')}: give the file with --symbols`,
  };
}

/** The descriptor without files: by its names if they need none, otherwise by its table. @throws Error when it has none */
export function withoutFiles(d: Descriptor): Descriptor {
  try {
    return resolved(d);
  } catch (error) {
    const table = fromTable(d, (error as Error).message);
    if (!table) throw error;
    return table;
  }
}
