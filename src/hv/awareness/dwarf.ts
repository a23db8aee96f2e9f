/** Where the members of structures are, from the debug information of an ELF file. */
import { DwarfEntries, type Entry } from './dwarf-entries.ts';
import { type DebugTypes, offsetsOf, type Types } from './type-path.ts';

/** Tags of types that are looked into (the standard's 7.5.3). */
const TAG = { class: 0x02, member: 0x0d, pointer: 0x0f, reference: 0x10, structure: 0x13 };
/** Types that only rename or qualify another one: typedef, const, restrict, volatile, atomic. */
const TRANSPARENT = new Set([0x16, 0x26, 0x35, 0x37, 0x47]);
/** The longest chain of typedefs that is followed. */
const MOST_RENAMINGS = 64;

export class Dwarf implements DebugTypes, Types<Entry> {
  readonly kind = 'debug information';
  private readonly entries: DwarfEntries;
  private readonly found = new Map<string, Entry | undefined>();

  /** @param bytes an ELF file */
  constructor(bytes: Uint8Array) {
    this.entries = new DwarfEntries(bytes);
  }

  get isEmpty(): boolean {
    return this.entries.units.length === 0;
  }

  offsets(type: string, path: string): number[] {
    return offsetsOf(this, type, path);
  }

  /** The definition of a structure, by its name without namespaces. */
  structure(name: string): Entry | undefined {
    if (!this.found.has(name)) this.found.set(name, this.search(name));
    return this.found.get(name);
  }

  private search(name: string): Entry | undefined {
    for (const unit of this.entries.mentioning(name)) {
      try {
        for (let at = unit.first; at < unit.end; ) {
          const entry = this.entries.entry(unit, at);
          const isStructure = entry?.tag === TAG.structure || entry?.tag === TAG.class;
          if (isStructure && entry.name === name && !entry.isDeclaration && entry.hasChildren) return entry;
          at = entry?.next ?? this.entries.at;
        }
      } catch (error) {
        // A damaged unit: the others may be good.
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return undefined;
  }

  member(of: Entry, name: string): { offset: number; type: Entry } | undefined {
    const structure = this.resolved(of);
    const { unit } = structure;
    if (!structure.hasChildren) return undefined;
    for (let at = structure.next, depth = 0; depth >= 0 && at < unit.end; ) {
      const entry = this.entries.entry(unit, at);
      at = entry?.next ?? this.entries.at;
      if (!entry) {
        depth--;
        continue;
      }
      if (depth === 0 && entry.tag === TAG.member) {
        if (entry.name === name) return { offset: entry.offset, type: entry };
        const inner = entry.name === undefined ? this.member(entry, name) : undefined;
        if (inner) return { offset: entry.offset + inner.offset, type: inner.type };
      }
      if (entry.hasChildren) depth++;
    }
    return undefined;
  }

  /** The type that an entry has, without its other names. */
  private resolved(entry: Entry): Entry {
    let now = entry;
    for (let n = 0; n < MOST_RENAMINGS; n++) {
      if (now.tag !== TAG.member && !TRANSPARENT.has(now.tag)) return now;
      const type = now.type === undefined ? undefined : this.entries.entryAt(now.type);
      if (!type) return now;
      now = type;
    }
    return now;
  }

  target(entry: Entry): Entry | undefined {
    const pointer = this.resolved(entry);
    if ((pointer.tag !== TAG.pointer && pointer.tag !== TAG.reference) || pointer.type === undefined) return undefined;
    const to = this.entries.entryAt(pointer.type);
    if (!to) return undefined;
    const type = this.resolved(to);
    // The unit that has the pointer may only know the structure's name.
    return type.isDeclaration && type.name !== undefined ? (this.structure(type.name) ?? type) : type;
  }
}
