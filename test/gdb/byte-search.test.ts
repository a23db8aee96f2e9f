/** Looking for bytes, as `find` in gdb does. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteSearch } from '../../src/gdbstub/byte-search.ts';

test('it finds what a search of texts finds', () => {
  // Few different bytes, so that parts of the pattern match often.
  const bytes = (minLength: number, maxLength: number): fc.Arbitrary<number[]> =>
    fc.array(fc.integer({ min: 0, max: 2 }), { minLength, maxLength });
  fc.assert(
    fc.property(bytes(0, 60), bytes(1, 6), (all, pattern) => {
      const text = (list: readonly number[]): string => String.fromCharCode(...list);
      expect(byteSearch(Uint8Array.from(pattern))(Uint8Array.from(all))).toBe(text(all).indexOf(text(pattern)));
    }),
    { numRuns: 2000 },
  );
});
