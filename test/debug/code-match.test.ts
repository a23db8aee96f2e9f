/** Is the program of a file in memory, and where? */
import { describe, expect, test } from 'vitest';
import { buildIdAt, elfCode } from '../../src/emu/boot/elf-code.ts';
import { findOffset, fits, likeness, type MemoryReader } from '../../src/emu/debug/code-match.ts';
import { seeded } from '../support/random.ts';

const BASE = 0x9000_0000_0020_0000n;
const SIZE = 0x4000;
const NOTE_AT = BASE + 0x10_0000n;

/** A note with a build id. */
function note(...id: number[]): Uint8Array {
  return Uint8Array.of(4, 0, 0, 0, id.length, 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4e, 0x55, 0, ...id);
}
/** Memory with parts at addresses. */
const memory =
  (...parts: readonly (readonly [address: bigint, data: Uint8Array])[]): MemoryReader =>
  (address, length) => {
    const part = parts.find(([at, data]) => address >= at && address < at + BigInt(data.length));
    const from = part ? Number(address - part[0]) : 0;
    return part ? part[1].subarray(from, from + length) : new Uint8Array(0);
  };

const random = seeded(5);
const code = new Uint8Array(SIZE).map(() => random() >>> 24);
const file = { sections: [{ address: BASE, data: code }], buildId: undefined };
const identified = { ...file, buildId: { id: 'aabb', address: NOTE_AT } };

/** What a kernel makes of its own code: every n-th word is another. */
const patched = (n: number): Uint8Array => code.map((b, at) => ((at >> 2) % n === 0 ? b ^ 0xff : b));

describe('likeness', () => {
  test('a build id decides, wherever the program lies', () => {
    const by = 0x1230_0000n;
    expect(likeness(identified, by, memory([NOTE_AT + by, note(0xaa, 0xbb)]))).toEqual({
      kind: 'same',
      by: 'build id',
    });
    const other = memory([NOTE_AT, note(0xaa, 0xbc)], [BASE, code]);
    expect(likeness(identified, 0n, other)).toEqual({ kind: 'other', id: 'aabc' });
  });

  test('without one, the code decides: words that the kernel has changed do not matter', () => {
    expect(likeness(identified, 0n, memory([BASE, code]))).toEqual({ kind: 'same', by: 'code' });
    expect(likeness(file, 0n, memory([BASE, patched(4)]))).toEqual({ kind: 'same', by: 'code' });
    expect(likeness(file, 0n, memory([BASE, patched(2)]))).toEqual({ kind: 'other', id: undefined });
    expect(likeness(file, 0n, memory([BASE, code.map((b) => b ^ 1)]))).toEqual({ kind: 'other', id: undefined });
  });

  test('what is not in memory says nothing', () => {
    expect(likeness(file, 0n, memory())).toEqual({ kind: 'unknown' });
    expect(likeness(file, 0n, memory([BASE, code.subarray(0, 32)]))).toEqual({ kind: 'unknown' });
    expect(likeness({ sections: [], buildId: undefined }, 0n, memory([BASE, code]))).toEqual({ kind: 'unknown' });
  });
});

describe('the offset', () => {
  test.each([0n, 0x1230_0000n, -0x8000_0000_0000n, 0x7000_0000_0000_0000n])('%d', (by) => {
    const offset = BigInt.asUintN(64, by);
    const read = memory([BigInt.asUintN(64, BASE + by), patched(20)]);
    // Also beside a word that was changed.
    for (const at of [0n, 0x50n, 0x1004n, 0x3ff0n])
      expect(findOffset(file, BASE + by + at, read), `at ${at}`).toBe(offset);
    expect([fits(file, offset, BASE + by + 0x1004n, read), fits(file, offset + 4n, BASE + by + 0x1004n, read)]).toEqual(
      [true, false],
    );
  });

  test('code that is in the file twice, and code that is copied elsewhere, does not say where the program is', () => {
    const twice = code.slice();
    twice.copyWithin(0x2000, 0x1000, 0x1100);
    const file2 = { sections: [{ address: BASE, data: twice }], buildId: undefined };
    const read = memory([BASE, twice], [0x5000n, twice.slice(0x1000, 0x1100)]);
    expect(findOffset(file2, BASE + 0x1040n, read)).toBe(0n);
    expect(findOffset(file2, 0x5040n, read)).toBeUndefined();
  });
});

test('notes that are none', () => {
  expect([note(1), note(0xff, 2)].map(buildIdAt)).toEqual(['01', 'ff02']);
  const cut = note(1, 2, 3).subarray(0, 18);
  const otherOwner = note(1).fill(0x58, 12, 13);
  const otherType = note(1).fill(1, 8, 9);
  const huge = note(1).fill(0xff, 4, 8);
  expect([cut, otherOwner, otherType, huge, new Uint8Array(3)].map(buildIdAt)).toEqual(Array(5).fill(undefined));
  expect(elfCode(new Uint8Array(80))).toEqual({ sections: [], buildId: undefined });
});
