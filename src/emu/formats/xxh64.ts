/** XXH64 with seed 0 (xxHash, fast digest algorithm, doc/xxhash_spec.md): the checksum of zstd. */
import { viewOf } from './little-endian.ts';

const MASK = 2n ** 64n - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];
const STRIPE = 32;

const rotate = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & MASK;
const times = (x: bigint, y: bigint): bigint => (x * y) & MASK;
const round = (lane: bigint, input: bigint): bigint => times(rotate((lane + times(input, P2)) & MASK, 31n), P1);
const merge = (hash: bigint, lane: bigint): bigint => (times(hash ^ round(0n, lane), P1) + P4) & MASK;
const shifted = (x: bigint, n: bigint): bigint => x ^ (x >> n);

export function xxh64(bytes: Uint8Array): bigint {
  const view = viewOf(bytes);
  let at = 0;
  let hash = P5;
  if (bytes.length >= STRIPE) {
    let [a, b, c, d] = [(P1 + P2) & MASK, P2, 0n, (MASK + 1n - P1) & MASK];
    for (; at + STRIPE <= bytes.length; at += STRIPE) {
      a = round(a, view.getBigUint64(at, true));
      b = round(b, view.getBigUint64(at + 8, true));
      c = round(c, view.getBigUint64(at + 16, true));
      d = round(d, view.getBigUint64(at + 24, true));
    }
    hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & MASK;
    for (const lane of [a, b, c, d]) hash = merge(hash, lane);
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8)
    hash = (times(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n), P1) + P4) & MASK;
  if (at + 4 <= bytes.length) {
    hash = (times(rotate(hash ^ times(BigInt(view.getUint32(at, true)), P1), 23n), P2) + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = times(rotate(hash ^ times(BigInt(bytes[at]!), P5), 11n), P1);
  hash = times(shifted(hash, 33n), P2);
  hash = times(shifted(hash, 29n), P3);
  return shifted(hash, 32n);
}
