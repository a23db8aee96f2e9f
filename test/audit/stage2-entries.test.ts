/** Which changes of a stage-2 table need an invtlb, and when its absence is told. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Cpu } from '../../src/emu/cpu/cpu.ts';
import { TLBELO } from '../../src/emu/cpu/csr-fields.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { viewOf } from '../../src/emu/formats/little-endian.ts';
import type { Ram } from '../../src/emu/memory/ram.ts';
import { Stage2Entries, type Stale } from '../../src/hv/audit/stage2-entries.ts';
import { Driven } from '../support/driven.ts';

const GPA = 0x200000;
const TABLES = 0x4000000;
const GID = 3;
/** The entry's place in the MTLB. */
const INDEX = 2060;
/** PWCL of three levels with 9 bits each above pages of 4 KiB, PWCH of one more. */
const PWCL = 12n | (9n << 5n) | (21n << 10n) | (9n << 15n) | (30n << 20n) | (9n << 25n);
const LATE = 2_000_000;

describe('a stage-2 TLB entry whose table changes', () => {
  let cpu: Cpu;
  let ram: Ram;
  let entries: Stage2Entries;
  let slots: number[];

  const write = (pa: number, value: number): void => {
    const bytes = new Uint8Array(8);
    viewOf(bytes).setBigUint64(0, BigInt(value), true);
    ram.write(pa, bytes);
    entries.stored(pa, 8);
  };
  /** Makes a table at `root` whose page table maps `GPA` to `frame`. @returns the place of its last entry */
  const table = (root: number, frame: number): number => {
    for (const level of [0, 1])
      write(root + 0x1000 * level + (level === 1 ? 8 * (GPA >>> 30) : 0), root + 0x1000 * (level + 1));
    write(root + 0x2000 + 8 * (GPA >>> 21), root + 0x3000);
    const slot = root + 0x3000 + 8 * ((GPA >>> 12) & 511);
    write(slot, frame);
    return slot;
  };
  const page = (frame: number, flags: number): number => frame | flags;
  const RW = TLBELO.V | TLBELO.D | 0x10;
  const FRAME = 0x5000000;

  beforeEach(async () => {
    const driven = await Driven.boot(['hello']);
    cpu = driven.control.machine.cpus[0]!;
    ram = driven.control.machine.ram;
    entries = new Stage2Entries(ram, [cpu]);
    cpu.host.put(CSR.PWCL, PWCL);
    cpu.host.put(CSR.PWCH, 0n);
    slots = [TABLES, TABLES + 0x100000].map((root, n) => table(root + 0x1000, page(FRAME + n * 0x100000, RW)));
    cpu.host.put(CSR.PGDL, BigInt(TABLES + 0x2000));
    fill();
  });
  const fill = (): void => {
    const { htlb } = cpu;
    htlb.setKey(INDEX, GPA / 0x2000, 12, GID, 0);
    htlb.setPages(INDEX, FRAME | RW | 0, 0, 0, 0);
    htlb.e[INDEX] = 1;
    entries.filled(cpu, { guestType: false, gid: GID, index: INDEX, vppn: -1, by: 'tlbfill' });
  };
  /** What is told at entries at these ticks from now on. */
  const told = (...ticks: number[]): Stale[] => {
    const found: Stale[] = [];
    for (const tick of ticks) {
      cpu.sliceTime += tick;
      found.push(...entries.stale(cpu, GID));
    }
    return found;
  };

  test('no change, or one that was taken back', () => {
    expect(told(0, LATE)).toEqual([]);
    write(slots[0]!, 0);
    expect(told(0)).toEqual([]);
    write(slots[0]!, page(FRAME, RW));
    expect(told(LATE, LATE)).toEqual([]);
  });

  test('another frame: told when the invtlb is late, with old and new', () => {
    write(slots[0]!, page(FRAME + 0x1000, RW));
    const [found, ...more] = told(0, 1000, LATE);
    expect(found).toMatchObject({ gpa: BigInt(GPA), foreign: false });
    expect([found!.was, found!.is]).toEqual([
      '0x5000013 (V D (writable) PLV0 MAT=1)',
      '0x5001013 (V D (writable) PLV0 MAT=1)',
    ]);
    expect(more).toEqual([]);
  });

  test('many entries soon after the change are as good as a long time', () => {
    write(slots[0]!, 0);
    expect(told(0, ...Array.from({ length: 40 }, () => 1000))).toEqual([]);
    expect(told(...Array.from({ length: 40 }, () => 1000)).length).toBeGreaterThan(0);
  });

  test('an invtlb that comes a little later', () => {
    write(slots[0]!, 0);
    expect(told(0, 100_000)).toEqual([]);
    cpu.htlb.e[INDEX] = 0;
    expect(told(LATE)).toEqual([]);
  });

  test('ageing is a note: V cleared, the same frame', () => {
    write(slots[0]!, page(FRAME, RW & ~TLBELO.V));
    expect(told(0, LATE)).toEqual([]);
    expect(entries.aged).toEqual([[GID, 1]]);
    // Another frame than the one that was aged.
    write(slots[0]!, page(FRAME + 0x1000, RW));
    expect(told(0, LATE)).toHaveLength(1);
  });

  test('fewer rights need it, more rights do not', () => {
    write(slots[0]!, page(FRAME, RW & ~TLBELO.D));
    expect(told(0, LATE)).toHaveLength(1);
    fill();
    write(slots[0]!, page(FRAME, RW));
    expect(told(0, LATE)).toEqual([]);
  });

  test('a directory that goes', () => {
    write(TABLES + 0x3000 + 8 * (GPA >>> 21), 0);
    expect(told(0, LATE)[0]).toMatchObject({ is: 'nothing' });
  });

  test('a page table in the place of a huge page, and back: only the content counts', () => {
    const directory = TABLES + 0x3000 + 8 * (GPA >>> 21);
    const huge = page(FRAME & ~0x1fffff, RW | 0x40);
    write(directory, huge);
    cpu.htlb.setKey(INDEX, GPA / 0x2000, 20, GID, 0);
    entries.filled(cpu, { guestType: false, gid: GID, index: INDEX, vppn: -1, by: 'tlbfill' });
    const pages = TABLES + 0x80000;
    for (let n = 0; n < 512; n++) write(pages + 8 * n, page((FRAME & ~0x1fffff) + 0x1000 * n, RW));
    write(directory, pages);
    expect(told(0, LATE)).toEqual([]);
    write(pages + 8 * 300, 0);
    expect(told(LATE)).toEqual([]);
    write(directory, pages);
    expect(told(0, LATE)[0]).toMatchObject({ gpa: BigInt(GPA + 300 * 0x1000), is: 'nothing' });
  });

  test('another VM gets the GID', () => {
    expect(told(0)).toEqual([]);
    cpu.host.put(CSR.PGDL, BigInt(TABLES + 0x102000));
    expect(told(0, LATE)[0]).toMatchObject({ foreign: true });
    cpu.htlb.e[INDEX] = 0;
    expect(told(LATE)).toEqual([]);
  });
});
