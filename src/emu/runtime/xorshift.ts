/**
 * The state behind another one, for numbers that only look random: each follows from the seed, so runs repeat (Marsaglia's xorshift,
 * 13, 17, 5).
 * @param state a 32-bit number, not 0
 */
export function xorshift(state: number): number {
  let x = state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  return x;
}
