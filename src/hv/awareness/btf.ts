/**
 * Where the members of structures are, from the BTF of a kernel: its own short form of debug information, which distributions leave in
 * (Linux: Documentation/bpf/btf.rst).
 */
import { Buffer } from 'node:buffer';
import { elfSections } from '../../emu/boot/elf-sections.ts';
import { type DebugTypes, offsetsOf, type Types } from './type-path.ts';

const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
const TYPE_BYTES = 12;
const MEMBER_BYTES = 12;
const KIND = { pointer: 2, structure: 4, union: 5 };
/** Kinds that only rename or qualify another type: typedef, volatile, const, restrict, type tag. */
const TRANSPARENT = new Set([8, 9, 10, 11, 18]);
/** Bytes behind the head of a type: so many, and so many for each of its parts. */
const TAIL: Readonly<Record<number, readonly [bytes: number, each: number]>> = {
  1: [4, 0], // integer
  3: [12, 0], // array
  4: [0, MEMBER_BYTES],
  5: [0, MEMBER_BYTES],
  6: [0, 8], // enumeration
  13: [0, 8], // prototype
  14: [4, 0], // variable
  15: [0, 12], // section
  17: [4, 0], // declaration tag
  19: [0, 12], // enumeration of 64 bits
};
/** The longest chain of typedefs, and the deepest nest of members without a name. */
const MOST_STEPS = 64;

/** A type: where its head is. Types are numbered from 1. */
type Id = number;

export class Btf implements DebugTypes, Types<Id> {
  readonly kind = 'BTF';
  private readonly bytes: Buffer;
  private readonly strings: Buffer;
  /** Where each type is, by its number. */
  private readonly places: number[] = [0];
  private readonly structures = new Map<string, Id>();

  /** @param file an ELF file; without BTF it has no structures */
  constructor(file: Uint8Array) {
    const data = elfSections(file).find((s) => s.name === '.BTF')?.data ?? new Uint8Array(0);
    this.bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.strings = Buffer.alloc(0);
    if (this.bytes.length < HEADER_BYTES || this.bytes.readUInt16LE(0) !== MAGIC) return;
    const header = this.bytes.readUInt32LE(4);
    const [types, length, strings, size] = [8, 12, 16, 20].map((at) => this.bytes.readUInt32LE(at));
    this.strings = this.bytes.subarray(header + strings!, header + strings! + size!);
    this.index(header + types!, Math.min(header + types! + length!, this.bytes.length));
  }

  get isEmpty(): boolean {
    return this.places.length === 1;
  }

  offsets(type: string, path: string): number[] {
    return offsetsOf(this, type, path);
  }

  structure(name: string): Id | undefined {
    return this.structures.get(name);
  }

  member(of: Id, name: string, depth = 0): { offset: number; type: Id } | undefined {
    const id = this.resolved(of);
    const { kind, parts, isBits } = this.head(id);
    if ((kind !== KIND.structure && kind !== KIND.union) || depth > MOST_STEPS) return undefined;
    const first = this.places[id]! + TYPE_BYTES;
    for (let n = 0; n < parts; n++) {
      const at = first + n * MEMBER_BYTES;
      const own = this.text(this.bytes.readUInt32LE(at));
      const type = this.bytes.readUInt32LE(at + 4);
      const bits = this.bytes.readUInt32LE(at + 8);
      const offset = (isBits ? bits & 0xffffff : bits) >>> 3;
      if (own === name) return { offset, type };
      const inner = own === '' ? this.member(type, name, depth + 1) : undefined;
      if (inner) return { offset: offset + inner.offset, type: inner.type };
    }
    return undefined;
  }

  target(of: Id): Id | undefined {
    const id = this.resolved(of);
    if (this.head(id).kind !== KIND.pointer) return undefined;
    const to = this.bytes.readUInt32LE(this.places[id]! + 8);
    return to === 0 ? undefined : to;
  }

  /** Notes where each type is, and the names of structures. */
  private index(from: number, end: number): void {
    for (let at = from; at + TYPE_BYTES <= end; ) {
      const id = this.places.push(at) - 1;
      const { kind, parts } = this.head(id);
      const [bytes, each] = TAIL[kind] ?? [0, 0];
      const name = kind === KIND.structure ? this.text(this.bytes.readUInt32LE(at)) : '';
      if (name !== '' && parts > 0 && !this.structures.has(name)) this.structures.set(name, id);
      at += TYPE_BYTES + bytes + parts * each;
    }
  }

  private head(id: Id): { readonly kind: number; readonly parts: number; readonly isBits: boolean } {
    const at = id > 0 ? this.places[id] : undefined;
    // void, and numbers that no type has.
    if (at === undefined) return { kind: 0, parts: 0, isBits: false };
    const info = this.bytes.readUInt32LE(at + 4);
    return { kind: (info >>> 24) & 0x1f, parts: info & 0xffff, isBits: info >>> 31 === 1 };
  }

  private resolved(of: Id): Id {
    let id = of;
    for (let n = 0; n < MOST_STEPS && TRANSPARENT.has(this.head(id).kind); n++)
      id = this.bytes.readUInt32LE(this.places[id]! + 8);
    return id;
  }

  private text(at: number): string {
    const end = this.strings.indexOf(0, at);
    return end < 0 || at >= this.strings.length ? '' : this.strings.toString('utf8', at, end);
  }
}
