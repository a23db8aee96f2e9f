/** A look at what a stage-2 table maps, and at the table entries on the way there. */

import type { Cpu } from '../../emu/cpu/cpu.ts';
import type { Ram } from '../../emu/memory/ram.ts';
import { addressBits, hasTables, Leaf, type TableReader, walkTables } from '../../emu/mmu/page-walk.ts';

/** What a table maps a GPA to. */
export interface Mapping {
  /** The TLBELO value for the page, and the size of the page in bytes. */
  readonly elo: bigint;
  readonly size: bigint;
  /** Physical addresses of the table entries, from the root to the page. */
  readonly slots: readonly number[];
}

class Reader implements TableReader {
  lo = 0;
  hi = 0;
  readonly slots: number[] = [];
  private readonly ram: Ram;

  constructor(ram: Ram) {
    this.ram = ram;
  }

  read(table: number, slot: number): boolean {
    if (table < 0x1000) return false;
    const bytes = this.ram.read(slot, 8);
    if (bytes.length < 8) return false;
    this.slots.push(slot);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    this.lo = view.getInt32(0, true);
    this.hi = view.getInt32(4, true);
    return true;
  }
}

/** @returns undefined when a directory has no entry for the GPA, or there is no table that PWCL and PWCH describe */
export function stage2Mapping(cpu: Cpu, ram: Ram, root: bigint, gpa: bigint): Mapping | undefined {
  if (!hasTables(cpu.host)) return undefined;
  const reader = new Reader(ram);
  const leaf = new Leaf();
  const halves = (value: bigint): [number, number] => [
    Number(BigInt.asIntN(32, value)),
    Number(BigInt.asIntN(32, value >> 32n)),
  ];
  if (!walkTables(cpu.host, addressBits(...halves(root)), addressBits(...halves(gpa)), false, reader, leaf))
    return undefined;
  if (leaf.ps < 12 || leaf.ps > 47) return undefined;
  const elo = (BigInt(leaf.hi >>> 0) << 32n) | BigInt(leaf.lo >>> 0);
  return { elo, size: 1n << BigInt(leaf.ps), slots: reader.slots };
}
