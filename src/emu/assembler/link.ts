/** A static linker for programs of a few objects. Layout and relocations are those of the LoongArch ELF psABI, without relaxation. */
import { viewOf } from '../formats/little-endian.ts';
import { AsmError } from './asm-error.ts';
import type { AsmObject, ObjectSection, ObjectSymbol, Relocation } from './object.ts';
import { relocate } from './relocate.ts';

/** Objects that are no program together; the message says why. */
export class LinkError extends Error {}

/** A section of the program. */
export interface OutputPlan {
  readonly name: string;
  /** The sections of objects that it is made of, in the order of these patterns. */
  readonly takes: readonly RegExp[];
  /** Where it begins. @param end of what lies before it */
  readonly at: (end: bigint) => bigint;
  /** Where it is loaded, a physical address. @param end of what lies before it */
  readonly loadedAt: (at: bigint, end: bigint) => bigint;
  readonly writable: boolean;
  readonly executable: boolean;
}

export interface Layout {
  readonly entry: string;
  readonly sections: readonly OutputPlan[];
  /** Behind which section the table of addresses is, that code loads through. */
  readonly tableBehind: string;
  /** Symbols of the layout itself. */
  readonly symbols: (outputs: readonly Output[]) => ReadonlyMap<string, bigint>;
}

/** A section of the linked program. */
export interface Output extends Pick<OutputPlan, 'name' | 'writable' | 'executable'> {
  readonly at: bigint;
  readonly loadedAt: bigint;
  readonly size: number;
  /** Undefined: all zeros. */
  readonly data: Uint8Array | undefined;
}

export interface LinkedSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly size: number;
  readonly isFunction: boolean;
  readonly global: boolean;
  /** Number of its section; undefined: an absolute value. */
  readonly section: number | undefined;
}

export interface Linked {
  readonly entry: bigint;
  readonly sections: readonly Output[];
  readonly symbols: readonly LinkedSymbol[];
}

/** A section of an object, at its place in the program. */
interface Placed {
  readonly object: AsmObject;
  readonly section: ObjectSection;
  readonly output: number;
  readonly address: bigint;
}

const isDefined = (symbol: ObjectSymbol): boolean => symbol.global;
const alignUp = (x: bigint, to: number): bigint => ((x + BigInt(to) - 1n) / BigInt(to)) * BigInt(to);
const ENTRY_BYTES = 8;
/** `break 0`. */
const BREAK = 0x002a0000;

/** What objects use and do not define. */
function missing(objects: readonly AsmObject[], more: readonly string[] = []): Set<string> {
  const defined = new Set(objects.flatMap((o) => o.symbols.filter(isDefined).map((s) => s.name)));
  const own = (o: AsmObject): Set<string> => new Set(o.symbols.map((s) => s.name));
  const used = objects.flatMap((o) => {
    const known = own(o);
    return o.sections.flatMap((s) => s.relocations.map((r) => r.symbol)).filter((name) => !known.has(name));
  });
  return new Set([...used, ...more].filter((name) => !defined.has(name)));
}

/** The objects, and those of the library that they need, in its order. */
function withLibrary(objects: readonly AsmObject[], library: readonly AsmObject[], entry: string): AsmObject[] {
  const all = [...objects];
  const rest = new Set(library);
  for (let before = -1; before !== all.length; ) {
    before = all.length;
    for (const object of rest) {
      const wanted = missing(all, [entry]);
      if (!object.symbols.some((s) => isDefined(s) && wanted.has(s.name))) continue;
      all.push(object);
      rest.delete(object);
    }
  }
  return all;
}

class Linker {
  private readonly objects: readonly AsmObject[];
  private readonly layout: Layout;
  private readonly placed: Placed[] = [];
  private readonly outputs: { plan: OutputPlan; at: bigint; loadedAt: bigint; size: number }[] = [];
  private readonly globals = new Map<string, bigint>();
  private readonly table = new Map<string, bigint>();

  constructor(objects: readonly AsmObject[], layout: Layout) {
    this.objects = objects;
    this.layout = layout;
  }

  link(): Linked {
    this.place();
    const sections = this.outputs.map(({ plan, at, loadedAt, size }) => ({
      ...plan,
      at,
      loadedAt,
      size,
      data: undefined,
    }));
    const own = this.layout.symbols(sections);
    for (const [name, value] of own) this.globals.set(name, value);
    this.define();
    const outputs = this.outputs.map((output, n): Output => {
      const { name, writable, executable } = output.plan;
      const { at, loadedAt, size } = output;
      return { name, writable, executable, at, loadedAt, size, data: this.content(n, size) };
    });
    const entry = this.globals.get(this.layout.entry);
    if (entry === undefined) throw new LinkError(`no file defines ${this.layout.entry}, where the program begins`);
    return { entry, sections: outputs, symbols: this.symbols(own) };
  }

  /** Gives each section its place, one behind the other. */
  private place(): void {
    let end = 0n;
    for (const plan of this.layout.sections) {
      const output = this.outputs.length;
      const taken = plan.takes.flatMap((pattern) =>
        this.objects.flatMap((object) =>
          object.sections.filter((s) => pattern.test(s.name)).map((section) => ({ object, section })),
        ),
      );
      const most = Math.max(1, ...taken.map(({ section }) => section.align));
      const at = alignUp(plan.at(end), most);
      let next = at;
      for (const { object, section } of taken) {
        const address = alignUp(next, section.align);
        this.placed.push({ object, section, output, address });
        next = address + BigInt(section.size);
      }
      this.outputs.push({ plan, at, loadedAt: plan.loadedAt(at, end), size: Number(next - at) });
      end = next;
      if (plan.name === this.layout.tableBehind) end = this.placeTable(output);
    }
  }

  /** The table of the addresses that code loads through it. */
  private placeTable(n: number): bigint {
    const output = this.outputs[n]!;
    const wanted = new Set(
      this.objects.flatMap((o) =>
        o.sections.flatMap((s) => s.relocations.filter((r) => r.type.startsWith('R_LARCH_GOT')).map((r) => r.symbol)),
      ),
    );
    if (wanted.size === 0) return output.at + BigInt(output.size);
    let at = alignUp(output.at + BigInt(output.size), ENTRY_BYTES);
    for (const name of wanted) {
      this.table.set(name, at);
      at += BigInt(ENTRY_BYTES);
    }
    output.size = Number(at - output.at);
    return at;
  }

  private addressOf(object: AsmObject, { section, value }: ObjectSymbol): bigint | undefined {
    if (section === undefined) return value;
    const place = this.placed.find((p) => p.object === object && p.section === object.sections[section]);
    return place && place.address + value;
  }

  private define(): void {
    const weak = new Set<string>();
    for (const object of this.objects)
      for (const symbol of object.symbols.filter(isDefined)) {
        const { name } = symbol;
        if (symbol.weak && this.globals.has(name)) continue;
        if (this.globals.has(name) && !weak.has(name))
          throw new LinkError(`${object.name} defines ${name}, which another file defines, too: choose another name`);
        const address = this.addressOf(object, symbol);
        if (address === undefined)
          throw new LinkError(`${name} of ${object.name} is in a section that the program has not`);
        this.globals.set(name, address);
        if (symbol.weak) weak.add(name);
        else weak.delete(name);
      }
  }

  /** The bytes of a section of the program. */
  private content(output: number, size: number): Uint8Array | undefined {
    const { at } = this.outputs[output]!;
    const parts = this.placed.filter((p) => p.output === output);
    const isTable = this.outputs[output]!.plan.name === this.layout.tableBehind && this.table.size > 0;
    if (!isTable && parts.every((p) => p.section.data === undefined)) return undefined;
    const bytes = new Uint8Array(size);
    const view = viewOf(bytes);
    // What lies between functions is never executed: it stops who gets there.
    if (this.outputs[output]!.plan.executable) for (let n = 0; n + 4 <= size; n += 4) view.setUint32(n, BREAK, true);
    if (isTable)
      for (const [name, entry] of this.table)
        view.setBigUint64(Number(entry - at), this.valueOf(undefined, { symbol: name }), true);
    for (const { object, section, address } of parts) {
      const from = Number(address - at);
      if (section.data) bytes.set(section.data, from);
      for (const relocation of section.relocations) this.relocate(object, relocation, view, from, address);
    }
    return bytes;
  }

  private relocate(object: AsmObject, relocation: Relocation, view: DataView, from: number, address: bigint): void {
    const { at, type, symbol, addend, place } = relocation;
    const value = type.startsWith('R_LARCH_GOT') ? this.table.get(symbol)! : this.valueOf(object, relocation) + addend;
    const wrong = relocate(view, from + at, type, value, address + BigInt(at));
    if (wrong === undefined) return;
    const text = `${symbol} is ${wrong}`;
    throw place ? new AsmError(place, text) : new LinkError(`${object.name}: ${text}`);
  }

  /** The address of a symbol that an object uses: its own one, or that of another one. */
  private valueOf(object: AsmObject | undefined, { symbol, place }: Pick<Relocation, 'symbol' | 'place'>): bigint {
    const own = object?.symbols.find((s) => s.name === symbol);
    const value = own && !own.global ? this.addressOf(object!, own) : this.globals.get(symbol);
    if (value !== undefined) return value;
    const text = `${symbol} is used here, and no file defines it`;
    throw place
      ? new AsmError(place, text)
      : new LinkError(`${object?.name ?? 'the program'} uses ${symbol}, and no file defines it`);
  }

  private symbols(own: ReadonlyMap<string, bigint>): LinkedSymbol[] {
    const list = this.objects.flatMap((object) =>
      object.symbols.flatMap((symbol): LinkedSymbol[] => {
        const { name, global, size, isFunction, section } = symbol;
        const value = name.startsWith('.L') ? undefined : this.addressOf(object, symbol);
        if (value === undefined) return [];
        const place = this.placed.find(
          (p) => p.object === object && section !== undefined && p.section === object.sections[section],
        );
        return [{ name, value, size, isFunction, global, section: place?.output }];
      }),
    );
    const more = [...own].map(([name, value]) => ({
      name,
      value,
      size: 0,
      isFunction: false,
      global: true,
      section: undefined,
    }));
    return [...list, ...more];
  }
}

/**
 * Links objects.
 * @param library objects that are taken where another one needs them
 * @throws AsmError for a symbol that is missing or too far away, where its place is known; LinkError
 */
export const link = (objects: readonly AsmObject[], library: readonly AsmObject[], layout: Layout): Linked =>
  new Linker(withLibrary(objects, library, layout.entry), layout).link();
