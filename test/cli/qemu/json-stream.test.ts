/** A stream of JSON values: however it is cut, the same values come out. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonStream } from '../../../src/cli/control/json-stream.ts';

/** Everything that the pieces of a text give. */
const read = (pieces: readonly Uint8Array[]): unknown[] => {
  const stream = new JsonStream();
  return pieces.flatMap((p) => [...stream.push(p)].map((item) => ('error' in item ? item.error : item.value)));
};

describe('a stream of JSON values', () => {
  test('any values, cut anywhere, also inside a character', () => {
    const value = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()));
    const space = fc.constantFrom('', ' ', '\r\n', '\n\n');
    const values = fc.array(fc.tuple(value, space), { maxLength: 4 });
    fc.assert(
      fc.property(values, fc.array(fc.nat({ max: 400 }), { maxLength: 5 }), (list, cuts) => {
        const bytes = new TextEncoder().encode(list.map(([v, s]) => JSON.stringify(v) + s).join(''));
        const at = [0, ...cuts.map((c) => Math.min(c, bytes.length)).sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, n) => bytes.subarray(at[n], end));
        expect(read(pieces)).toEqual(list.map(([v]) => JSON.parse(JSON.stringify(v)) as unknown));
      }),
    );
  });

  test('what is no JSON is one error, and the next piece begins anew', () => {
    const encode = (t: string): Uint8Array => new TextEncoder().encode(t);
    expect(read([encode('{"a":1} rubbish {"b":2}'), encode('{"c":3}')])).toEqual([
      { a: 1 },
      'JSON parse error, expecting value',
      { c: 3 },
    ]);
    expect(read([encode('{"a": }{"b":2}')])).toEqual(['JSON parse error, expecting value', { b: 2 }]);
    expect(read([encode(']{"b":2}')])[0]).toBe('JSON parse error, expecting value');
  });

  test('any bytes: never an exception, and no value without an end is kept for ever', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 }), (pieces) => {
        read(pieces);
      }),
    );
    const endless = new TextEncoder().encode(`{"a":"${'x'.repeat(2 ** 20)}`);
    expect(read([endless])).toEqual(['JSON token size limit exceeded']);
  });
});
