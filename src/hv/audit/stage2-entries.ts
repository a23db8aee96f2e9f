/**
 * Stage-2 TLB entries and the table entries that they were made from. If the table entry changes and the TLB entry stays, it is
 * stale, and an invtlb is missing.
 */

import type { Cpu } from '../../emu/cpu/cpu.ts';
import type { TlbChange } from '../../emu/cpu/observer.ts';
import { describeElo, stage2Leaf } from '../../emu/debug/walk.ts';
import { u64At } from '../../emu/formats/little-endian.ts';
import type { Ram } from '../../emu/memory/ram.ts';

/** The bits of a table entry that define the translation: V, D, PLV, MAT, page number, NR, NX, RPLV. */
const COUNTS = 0xe000_ffff_ffff_f03fn;

interface Source {
  readonly gid: number;
  readonly gpa: bigint;
  /** Addresses of the table entries of the even and the odd page, and their values at that time. */
  readonly huge: boolean;
  readonly slots: readonly { readonly pa: bigint; readonly value: bigint }[];
}

/** A stale entry, for a report. */
export interface Stale {
  readonly gpa: bigint;
  readonly slot: bigint;
  readonly was: string;
  readonly is: string;
}

export class Stage2Entries {
  private readonly ram: Ram;
  /** By CPU and index of the host TLB. */
  private readonly sources = new Map<Cpu, Map<number, Source>>();

  constructor(ram: Ram) {
    this.ram = ram;
  }

  private read(pa: bigint): bigint {
    return u64At(this.ram.read(Number(pa), 8)) ?? 0n;
  }

  /** An entry of the host TLB has been written. */
  filled(cpu: Cpu, change: TlbChange): void {
    let own = this.sources.get(cpu);
    if (!own) {
      own = new Map();
      this.sources.set(cpu, own);
    }
    own.delete(change.index);
    if (change.gid === 0) return;
    const { vppn, ps } = cpu.htlb.view(change.index);
    const gpa = (BigInt(vppn) << 13n) & ~((2n << BigInt(ps)) - 1n);
    const leaf = stage2Leaf(cpu, this.ram, gpa);
    if (!leaf) return;
    own.set(change.index, {
      gid: change.gid,
      gpa,
      huge: leaf.huge,
      slots: leaf.pair.map((pa) => ({ pa, value: this.read(pa) })),
    });
  }

  /** Entries of the guest that a CPU is about to run whose table entries have changed. */
  *stale(cpu: Cpu, gid: number): Generator<Stale> {
    for (const [index, source] of this.sources.get(cpu) ?? []) {
      if (source.gid !== gid || !cpu.htlb.e[index] || cpu.htlb.gid[index] !== gid) continue;
      for (const [half, { pa, value }] of source.slots.entries()) {
        const now = this.read(pa);
        if (((now ^ value) & COUNTS) === 0n) continue;
        const size = 1n << BigInt(cpu.htlb.ps[index]!);
        yield {
          gpa: source.gpa + BigInt(half) * size,
          slot: pa,
          was: describeEntry(value),
          is: describeEntry(now, source.huge),
        };
      }
    }
  }
}

/** @param wasHuge the entry mapped a huge page; without the bit H it now points to a table */
const describeEntry = (entry: bigint, wasHuge = false): string => {
  const what = entry === 0n ? 'nothing' : wasHuge && !(entry & 0x40n) ? 'a table of smaller pages' : describeElo(entry);
  return `0x${entry.toString(16)} (${what})`;
};
