/** Seeded randomness of the differential runner, and values that make trouble. */

export class Random {
  private state: number;

  constructor(seed: number) {
    // Neighbouring seeds shall not give neighbouring sequences.
    this.state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** 32 random bits. */
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }

  /** 0 … n − 1. */
  below(n: number): number {
    return this.next() % n;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bits64(): bigint {
    return (BigInt(this.next()) << 32n) | BigInt(this.next());
  }
}

const INTEGERS = [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0x7fffffffn, 0x80000000n, 0xffffffffn];
const WHOLE = [...INTEGERS, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n, (1n << 64n) - 2n];
/** Zeros, infinities, NaNs of both kinds, ends of the normal and subnormal ranges, ones, ends of the integers. */
// biome-ignore format: numbers
const DOUBLES = [
  0n, 1n << 63n, 0x7ff0n << 48n, 0xfff0n << 48n, 0x7ff8n << 48n, (0xfff8n << 48n) | 5n, (0x7ff0n << 48n) | 1n,
  (0xfff4n << 48n) | 3n, 1n, (1n << 52n) - 1n, 1n << 52n, 0x7fefffffffffffffn, 0x3ff0n << 48n, 0xbff0n << 48n,
  0x4000n << 48n, 0x3ff0000000000001n, 0x43dfffffffffffffn, 0xc3e0000000000000n, 0x41dfffffffc00000n, 0x3fe0n << 48n,
  0x36a0n << 48n, 0x43efffffffffffffn, 0x43f0000000000000n,
];
// biome-ignore format: numbers
const SINGLES = [
  0n, 0x80000000n, 0x7f800000n, 0xff800000n, 0x7fc00000n, 0xffc00005n, 0x7f800001n, 0xffa00003n, 1n, 0x7fffffn,
  0x800000n, 0x7f7fffffn, 0x3f800000n, 0xbf800000n, 0x40000000n, 0x3f800001n, 0x4effffffn, 0xcf000000n, 0x5effffffn,
  0x3f000000n, 0x4f7fffffn, 0x477ff000n, 0x33000000n, 0x38800000n,
];

/** A doubleword that integer code finds interesting. */
export function integerValue(r: Random): bigint {
  switch (r.below(4)) {
    case 0:
      return r.pick(WHOLE);
    case 1:
      return (BigInt(r.pick(INTEGERS)) << 32n) | r.pick(INTEGERS);
    default:
      return r.bits64();
  }
}

const single = (r: Random): bigint => {
  if (r.below(3) === 0) return r.pick(SINGLES);
  const v = BigInt(r.next());
  // Half of the others near 1, so that sums and products meet.
  return r.below(2) ? v : (v & ~0x7f800000n) | (BigInt(0x70 + r.below(32)) << 23n);
};

/** A doubleword that floating-point code finds interesting: a double or two singles. */
export function floatValue(r: Random): bigint {
  if (r.below(2)) return (single(r) << 32n) | single(r);
  if (r.below(3) === 0) return r.pick(DOUBLES);
  const v = r.bits64();
  return r.below(2) ? v : (v & ~(0x7ffn << 52n)) | (BigInt(0x3f0 + r.below(32)) << 52n);
}
