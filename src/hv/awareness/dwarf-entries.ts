/**
 * Entries of the debug information of an ELF file: DWARF 4 and 5, 32-bit format (the standard's chapter 7; 7.5.6 for the forms).
 */
import { Buffer } from 'node:buffer';
import { debugSections } from './debug-sections.ts';

/** Attributes that are read (7.5.4). */
const AT = { name: 0x03, declaration: 0x3c, location: 0x38, type: 0x49, offsetsBase: 0x72 };
const OP_PLUS_UCONST = 0x23;
/** Forms with rules of their own (7.5.6). */
const FORM = {
  ...{ addr: 0x01, block2: 0x03, block4: 0x04, string: 0x08, block: 0x09, block1: 0x0a, strp: 0x0e, indirect: 0x16 },
  ...{ exprloc: 0x18, flagPresent: 0x19, data16: 0x1e, lineStrp: 0x1f, implicitConst: 0x21 },
} as const;
/** Numbers of a fixed length: forms by their bytes. The last two of four bytes are GNU's references to another file. */
const FIXED: ReadonlyMap<number, number> = new Map(
  Object.entries({
    1: [0x0b, 0x0c, 0x11, 0x25, 0x29],
    2: [0x05, 0x12, 0x26, 0x2a],
    3: [0x27, 0x2b],
    4: [0x06, 0x0e, 0x10, 0x13, 0x17, 0x1c, 0x1d, 0x1f, 0x28, 0x2c, 0x1f20, 0x1f21],
    8: [0x07, 0x14, 0x20, 0x24],
  }).flatMap(([bytes, forms]) => forms.map((form) => [form, Number(bytes)] as const)),
);
/** Numbers of 7 bits a byte: sdata, udata, ref_udata, strx, addrx, loclistx, rnglistx. */
const NUMBERS = new Set([0x0d, 0x0f, 0x15, 0x1a, 0x1b, 0x22, 0x23]);
/** References that count from the beginning of their unit: ref1 to ref8, ref_udata. */
const OF_UNIT = new Set([0x11, 0x12, 0x13, 0x14, 0x15]);
/** Numbers of strings in the unit's table: strx, strx1 to strx4. */
const INDICES = new Set([0x1a, 0x25, 0x26, 0x27, 0x28]);
interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Attribute, form, and the value of an implicit constant, in turn. */
  readonly attributes: readonly { readonly at: number; readonly form: number; readonly constant: number }[];
}

export interface Unit {
  readonly start: number;
  readonly first: number;
  readonly end: number;
  readonly version: number;
  readonly abbreviations: number;
  readonly addressBytes: number;
}

/** A debugging information entry, with the attributes that are read. */
export interface Entry {
  readonly unit: Unit;
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Where the next entry begins: its first child, if it has any. */
  readonly next: number;
  readonly name: string | undefined;
  readonly isDeclaration: boolean;
  readonly type: number | undefined;
  readonly offset: number;
}

/** Reading outside of a section throws a RangeError: the file is damaged then. */
export class DwarfEntries {
  readonly units: readonly Unit[];
  /** Behind what was read last. */
  at = 0;
  private readonly info: Buffer;
  private readonly abbrev: Buffer;
  private readonly str: Buffer;
  private readonly lineStr: Buffer;
  private readonly strOffsets: Buffer;
  private readonly tables = new Map<number, ReadonlyMap<number, Abbreviation>>();
  private readonly bases = new Map<Unit, number>();

  /** @param bytes an ELF file; without debug information there are no units */
  constructor(bytes: Uint8Array) {
    const section = debugSections(bytes);
    this.info = section('.debug_info');
    this.abbrev = section('.debug_abbrev');
    this.str = section('.debug_str');
    this.lineStr = section('.debug_line_str');
    this.strOffsets = section('.debug_str_offsets');
    this.units = this.readUnits();
  }

  private readUnits(): Unit[] {
    const { info } = this;
    const out: Unit[] = [];
    for (let at = 0; at + 11 <= info.length; ) {
      const length = info.readUInt32LE(at);
      const end = at + 4 + length;
      const version = info.readUInt16LE(at + 4);
      // The 64-bit format begins with a length of all ones, which ends here, too.
      if (end > info.length || length < 7) break;
      if (version === 4 || version === 5) {
        const isNew = version === 5;
        // Units of types and of split files (kinds above 3) have more in their header, and are not needed.
        if (!isNew || info[at + 6]! <= 3)
          out.push({
            start: at,
            first: at + (isNew ? 12 : 11),
            end,
            version,
            abbreviations: info.readUInt32LE(at + (isNew ? 8 : 6)),
            addressBytes: info[at + (isNew ? 7 : 10)]!,
          });
      }
      at = end;
    }
    return out;
  }

  /** The units in which a name can be: those that hold its place in the table of strings, or the name itself. */
  mentioning(name: string): readonly Unit[] {
    // Where units have a table of their own for the places of strings, all must be looked at.
    if (this.strOffsets.length > 0) return this.units;
    const text = Buffer.from(`${name}\0`);
    const wanted = [text];
    for (let at = this.str.indexOf(text); at >= 0; at = this.str.indexOf(text, at + 1)) {
      const place = Buffer.alloc(4);
      place.writeUInt32LE(at);
      wanted.push(place);
    }
    const out = new Set<Unit>();
    for (const bytes of wanted) {
      let unit = 0;
      for (let at = this.info.indexOf(bytes); at >= 0; ) {
        while (unit < this.units.length && this.units[unit]!.end <= at) unit++;
        const here = this.units[unit];
        if (!here) break;
        if (at >= here.first) out.add(here);
        at = this.info.indexOf(bytes, Math.max(at + 1, here.end));
      }
    }
    return [...out];
  }

  /** The entry that a reference names. */
  entryAt(at: number): Entry | undefined {
    const unit = this.units.find((u) => at >= u.first && at < u.end);
    return unit && this.entry(unit, at);
  }

  /** Reads an entry; undefined for the end of a list of children. Then {@link at} is behind it. */
  entry(unit: Unit, at: number): Entry | undefined {
    this.at = at;
    const code = this.uleb(this.info);
    if (code === 0) return undefined;
    const abbreviation = this.table(unit.abbreviations).get(code);
    if (!abbreviation) throw new RangeError('no such abbreviation');
    let name: string | undefined;
    let isDeclaration = false;
    let type: number | undefined;
    let offset = 0;
    for (const { at: attribute, form, constant } of abbreviation.attributes) {
      if (attribute === AT.name) name = this.text(unit, form);
      else {
        const value = this.value(unit, form, constant);
        if (attribute === AT.declaration) isDeclaration = value !== 0;
        else if (attribute === AT.type) type = value;
        else if (attribute === AT.location) offset = value;
      }
    }
    const { tag, hasChildren } = abbreviation;
    return { unit, tag, hasChildren, next: this.at, name, isDeclaration, type, offset };
  }

  private table(offset: number): ReadonlyMap<number, Abbreviation> {
    const known = this.tables.get(offset);
    if (known) return known;
    const out = new Map<number, Abbreviation>();
    const back = this.at;
    this.at = offset;
    for (let code = this.uleb(this.abbrev); code !== 0; code = this.uleb(this.abbrev)) {
      const tag = this.uleb(this.abbrev);
      const hasChildren = this.abbrev.readUInt8(this.at++) === 1;
      const attributes: { at: number; form: number; constant: number }[] = [];
      for (;;) {
        const at = this.uleb(this.abbrev);
        const form = this.uleb(this.abbrev);
        if (at === 0 && form === 0) break;
        attributes.push({ at, form, constant: form === FORM.implicitConst ? this.uleb(this.abbrev) : 0 });
      }
      out.set(code, { tag, hasChildren, attributes });
    }
    this.at = back;
    this.tables.set(offset, out);
    return out;
  }

  /** A number of 7 bits a byte. Signed ones are not told apart: no offset of a member is negative. */
  private uleb(from: Buffer): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = from.readUInt8(this.at++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  private unsigned(bytes: number): number {
    const { at } = this;
    this.at += bytes;
    return bytes === 8
      ? this.info.readUInt32LE(at + 4) * 2 ** 32 + this.info.readUInt32LE(at)
      : this.info.readUIntLE(at, bytes);
  }

  private text(unit: Unit, form: number): string | undefined {
    if (form === FORM.string) return this.stringAt(this.info, this.at, true);
    if (form === FORM.strp) return this.stringAt(this.str, this.unsigned(4), false);
    if (form === FORM.lineStrp) return this.stringAt(this.lineStr, this.unsigned(4), false);
    const number = this.value(unit, form, 0);
    return INDICES.has(form) ? this.indexed(unit, number) : undefined;
  }

  private stringAt(from: Buffer, at: number, inPlace: boolean): string {
    const end = from.indexOf(0, at);
    if (end < 0) throw new RangeError('a string without an end');
    if (inPlace) this.at = end + 1;
    return from.toString('utf8', at, end);
  }

  /** A string by its number in the unit's own table. */
  private indexed(unit: Unit, index: number): string {
    return this.stringAt(this.str, this.strOffsets.readUInt32LE(this.offsetsBase(unit) + 4 * index), false);
  }

  /** Where the table of a unit is: its first entry says so. */
  private offsetsBase(unit: Unit): number {
    const known = this.bases.get(unit);
    if (known !== undefined) return known;
    this.bases.set(unit, 8);
    const back = this.at;
    this.at = unit.first;
    const { attributes } = this.table(unit.abbreviations).get(this.uleb(this.info))!;
    for (const { at, form, constant } of attributes) {
      const value = this.value(unit, form, constant);
      if (at === AT.offsetsBase) this.bases.set(unit, value);
    }
    this.at = back;
    return this.bases.get(unit)!;
  }

  /** Reads a value: numbers, and references as places in the section; of others only the length counts. */
  private value(unit: Unit, form: number, constant: number): number {
    const bytes = FIXED.get(form);
    if (bytes !== undefined) return (OF_UNIT.has(form) ? unit.start : 0) + this.unsigned(bytes);
    if (NUMBERS.has(form)) return (OF_UNIT.has(form) ? unit.start : 0) + this.uleb(this.info);
    switch (form) {
      case FORM.addr:
        return this.skip(unit.addressBytes);
      case FORM.block2:
        return this.skip(this.unsigned(2));
      case FORM.block4:
        return this.skip(this.unsigned(4));
      case FORM.block:
        return this.skip(this.uleb(this.info));
      case FORM.data16:
        return this.skip(16);
      case FORM.block1:
        return this.expression(this.unsigned(1));
      case FORM.exprloc:
        return this.expression(this.uleb(this.info));
      case FORM.string:
        this.stringAt(this.info, this.at, true);
        return 0;
      case FORM.indirect:
        return this.value(unit, this.uleb(this.info), 0);
      case FORM.flagPresent:
        return 1;
      case FORM.implicitConst:
        return constant;
      default:
        throw new RangeError(`form ${form}`);
    }
  }

  private skip(bytes: number): number {
    this.at += bytes;
    return 0;
  }

  /** An expression of a place: old compilers write "so many bytes on" for a member. */
  private expression(length: number): number {
    const end = this.at + length;
    const isSum = length > 1 && this.info.readUInt8(this.at) === OP_PLUS_UCONST;
    this.at++;
    const value = isSum ? this.uleb(this.info) : 0;
    this.at = end;
    return value;
  }
}
