/** The record of stage-2 translations that were valid once. */
import { beforeEach, describe, expect, test } from 'vitest';
import { LastTranslations } from '../../src/emu/debug/last-translations.ts';
import { restoreFields, saveFields } from '../../src/emu/state/fields.ts';
import { Tlb } from '../../src/emu/tlb/tlb.ts';

const V = 1;
let record: LastTranslations;
const tlb = new Tlb();

beforeEach(() => {
  record = new LastTranslations();
});

/** A refill: TLBELO of the even and the odd page. */
function fill(vm: number, gpa: number, ps: number, [even, odd]: readonly [number, number], position: number): void {
  tlb.setKey(0, Math.floor(gpa / 0x2000), ps, 1, 0);
  tlb.setPages(0, even, 0, odd, 0);
  record.note(vm, tlb, 0, position);
}
const found = (vm: number, gpa: number): readonly [number, number] | undefined => {
  const t = record.find(vm, gpa);
  return t && [t.lo, t.position];
};

describe('last translations', () => {
  test('are kept by VM, page and half', () => {
    fill(1, 0x4000, 12, [0x10000 | V, 0x20000 | V], 7);
    expect([found(1, 0x4abc), found(1, 0x5000)]).toEqual([
      [0x10000 | V, 7],
      [0x20000 | V, 7],
    ]);
    expect([found(2, 0x4000), found(1, 0x6000), found(1, 0x2000)]).toEqual([undefined, undefined, undefined]);
  });

  test('an invalid entry does not replace a valid one', () => {
    fill(1, 0x4000, 12, [0x10000 | V, 0x20000], 7);
    fill(1, 0x4000, 12, [0x30000, 0x40000 | V], 9);
    fill(1, 0x4000, 12, [0x50000, 0x50000], 11);
    expect([found(1, 0x4000), found(1, 0x5000)]).toEqual([
      [0x10000 | V, 7],
      [0x40000 | V, 9],
    ]);
  });

  test('of pages of different sizes the last one counts', () => {
    fill(1, 0x40000000, 21, [0x10000000 | V, 0], 7);
    fill(1, 0x40000000, 14, [0x20000 | V, 0], 9);
    expect([found(1, 0x40000000), found(1, 0x40010000)]).toEqual([
      [0x20000 | V, 9],
      [0x10000000 | V, 7],
    ]);
  });

  test('addresses above 4 GiB are told apart', () => {
    fill(1, 0x4000, 12, [0x1000 | V, 0], 1);
    fill(1, 0x2_0000_4000, 12, [0x2000 | V, 0], 2);
    expect([found(1, 0x4000), found(1, 0x2_0000_4000)]).toEqual([
      [0x1000 | V, 1],
      [0x2000 | V, 2],
    ]);
  });

  test('their number is bounded, and the oldest ones go', () => {
    const many = 100_000;
    for (let n = 0; n < many; n++) fill(1, n * 0x2000, 12, [(n * 0x1000) | V, 0], n);
    const kept = Array.from({ length: many }, (_, n) => record.find(1, n * 0x2000) !== undefined);
    const total = kept.filter(Boolean).length;
    expect(total).toBeLessThanOrEqual(16_384);
    expect(total).toBeGreaterThan(8000);
    expect(kept.slice(-4000).filter(Boolean).length).toBeGreaterThan(3500);
    expect(kept.slice(0, 20_000).filter(Boolean)).toEqual([]);
  });

  test('go back in time with the copies of the machine, and can be cleared', () => {
    fill(1, 0x4000, 12, [0x10000 | V, 0], 7);
    const then = saveFields(record);
    fill(1, 0x4000, 12, [0x20000 | V, 0], 9);
    fill(1, 0x8000, 16, [0x30000 | V, 0], 10);
    restoreFields(record, then);
    expect([found(1, 0x4000), found(1, 0x8000)]).toEqual([[0x10000 | V, 7], undefined]);
    record.clear();
    expect(found(1, 0x4000)).toBeUndefined();
  });
});
