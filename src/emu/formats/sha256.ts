/** SHA-256 (FIPS 180-4), for a runtime that has none which answers at once. */
import { viewOf } from './little-endian.ts';

const BLOCK = 64;
/** The first 32 bits of the fractional parts of a root. */
const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32);

function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p !== 0)) found.push(n);
  return found;
}
const PRIMES = primes(64);
const ROUND = Uint32Array.from(PRIMES, (p) => fraction(Math.cbrt(p)));
const START = Uint32Array.from(PRIMES.slice(0, 8), (p) => fraction(Math.sqrt(p)));

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

class Sha256 {
  private readonly state = Uint32Array.from(START);
  private readonly words = new Uint32Array(BLOCK);
  private readonly block = new Uint8Array(BLOCK);
  private readonly view = viewOf(this.block);
  private filled = 0;
  private length = 0;

  add(bytes: Uint8Array): void {
    this.length += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + BLOCK - this.filled);
      this.block.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === BLOCK) this.mix();
    }
  }

  finish(): Uint8Array {
    const bits = this.length * 8;
    this.block.fill(0, this.filled);
    this.block[this.filled] = 0x80;
    if (this.filled >= BLOCK - 8) {
      this.mix();
      this.block.fill(0);
    }
    this.view.setUint32(BLOCK - 8, Math.floor(bits / 2 ** 32));
    this.view.setUint32(BLOCK - 4, bits >>> 0);
    this.mix();
    const out = new Uint8Array(32);
    const view = viewOf(out);
    this.state.forEach((word, n) => {
      view.setUint32(4 * n, word);
    });
    return out;
  }

  private mix(): void {
    const { words: w, state, view } = this;
    this.filled = 0;
    for (let n = 0; n < 16; n++) w[n] = view.getUint32(4 * n);
    for (let n = 16; n < BLOCK; n++) {
      const [a, b] = [w[n - 15]!, w[n - 2]!];
      const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
      const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
      w[n] = w[n - 16]! + s0 + w[n - 7]! + s1;
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
    for (let n = 0; n < BLOCK; n++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[n]! + w[n]!) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((x, n) => {
      state[n] = state[n]! + x;
    });
  }
}

/** The digest of all of these bytes, one behind the other: 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = new Sha256();
  for (const part of parts) hash.add(part);
  return hash.finish();
}
