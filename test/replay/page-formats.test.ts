/** What a page needs to write snapshots and recordings itself, against Node's own. */
import { createHash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256 } from '../../src/emu/formats/sha256.ts';
import { storedZstd } from '../../src/emu/formats/stored-zstd.ts';
import { xxh64 } from '../../src/emu/formats/xxh64.ts';
import { PackingError } from '../../src/emu/replay/recording-file.ts';
import { pageCodec } from '../../src/web/worker/codec.ts';

/** Bytes with long runs, as RAM has them, and without. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.nat(255), fc.nat(300_000)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
    ),
    { maxLength: 5 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)));

test('SHA-256', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (parts) => {
      expect(Buffer.from(sha256(...parts)).toString('hex')).toBe(
        createHash('sha256').update(Buffer.concat(parts)).digest('hex'),
      );
    }),
  );
});

test('XXH64: the values of its specification', () => {
  expect(xxh64(new Uint8Array())).toBe(0xef46db3751d8e999n);
  expect(xxh64(new TextEncoder().encode('a'))).toBe(0xd24ec4f1a98c6e5bn);
  expect(xxh64(new TextEncoder().encode('abc'))).toBe(0x44bc2cf5ad770999n);
});

test('what is written here Node unpacks, with its checksum, and so does the page', () => {
  fc.assert(
    fc.property(content, (bytes) => {
      const packed = storedZstd(bytes);
      expect(Buffer.compare(zstdDecompressSync(packed), bytes)).toBe(0);
      expect(Buffer.compare(pageCodec.unpack(packed, bytes.length), bytes)).toBe(0);
      const wrong = Uint8Array.from(packed);
      wrong[wrong.length - 1]! ^= 1;
      expect(() => zstdDecompressSync(wrong)).toThrow(/checksum/i);
    }),
    { numRuns: 30 },
  );
});

test('runs of one byte take a few bytes', () => {
  expect(storedZstd(new Uint8Array(1 << 20)).length).toBeLessThan(100);
});

test('the page unpacks what Node packs, up to a limit', () => {
  fc.assert(
    fc.property(content, (bytes) => {
      const packed = new Uint8Array(zstdCompressSync(bytes));
      expect(Buffer.compare(pageCodec.unpack(packed, bytes.length), bytes)).toBe(0);
      if (bytes.length > 0) expect(() => pageCodec.unpack(packed, bytes.length - 1)).toThrow(PackingError);
    }),
    { numRuns: 30 },
  );
});

test.each([
  ['nothing', new Uint8Array()],
  ['another format', new TextEncoder().encode('not zstd at all')],
  ['a part of a frame', new Uint8Array(zstdCompressSync(Buffer.alloc(1000, 'abc'))).subarray(0, 12)],
])('%s is refused', (_, bytes) => {
  expect(() => pageCodec.unpack(bytes, 1000)).toThrow(PackingError);
});
