/** The literals of `vldi` and `xvldi` (Vol. 2): a 13-bit immediate stands for a repeated doubleword. */

const repeat = (value: bigint, width: bigint): bigint => {
  let r = 0n;
  for (let at = 0n; at < 64n; at += width) r |= BigInt.asUintN(Number(width), value) << at;
  return r;
};

/** abcdefgh as a floating-point literal: sign a, exponent b̄bbb…, fraction cdefgh. */
const single = (i: bigint): bigint =>
  ((i & 0x80n) << 24n) | (i & 0x40n ? 0x3e000000n : 0x40000000n) | ((i & 0x3fn) << 19n);
const double = (i: bigint): bigint =>
  ((i & 0x80n) << 56n) | (i & 0x40n ? 0x3fc0n << 48n : 0x4000n << 48n) | ((i & 0x3fn) << 48n);

/** Every bit of the literal becomes a byte of ones or zeros. */
const byteMask = (i: bigint): bigint => {
  let r = 0n;
  for (let k = 0n; k < 8n; k++) if ((i >> k) & 1n) r |= 0xffn << (8n * k);
  return r;
};

/** By bits 11:8 of an immediate that has bit 12 set. */
const PATTERNS: readonly ((i: bigint) => bigint)[] = [
  (i) => repeat(i, 32n),
  (i) => repeat(i << 8n, 32n),
  (i) => repeat(i << 16n, 32n),
  (i) => repeat(i << 24n, 32n),
  (i) => repeat(i, 16n),
  (i) => repeat(i << 8n, 16n),
  (i) => repeat((i << 8n) | 0xffn, 32n),
  (i) => repeat((i << 16n) | 0xffffn, 32n),
  (i) => repeat(i, 8n),
  byteMask,
  (i) => repeat(single(i), 32n),
  single,
  double,
];

/** The doubleword of immediate `imm` (13 bits), or undefined when the immediate is reserved. */
export function vldiLiteral(imm: number): bigint | undefined {
  if (imm & 0x1000) return PATTERNS[(imm >> 8) & 15]?.(BigInt(imm & 0xff));
  const width = 8n << BigInt((imm >> 10) & 3);
  return repeat(BigInt.asUintN(64, BigInt.asIntN(10, BigInt(imm & 0x3ff))), width);
}
