import { assemble } from './test-machine.ts';

/** An ELF with instructions at 0x200000, where it starts. */
export function elfOf(lines: readonly string[]): Uint8Array {
  const code = new Uint8Array(Uint32Array.from(lines.map(assemble)).buffer);
  const header = tinyElf().slice(0, 120);
  const v = new DataView(header.buffer);
  v.setBigUint64(64 + 32, BigInt(code.length), true);
  // Room for data behind the code.
  v.setBigUint64(64 + 40, BigInt(code.length + 0x1000), true);
  const out = new Uint8Array(120 + code.length);
  out.set(header);
  out.set(code, 120);
  return out;
}

/**
 * An ELF of two instructions at 0x200000: `word`, and a branch back to it. `b 0` (the default) is an endless loop.
 */
export function tinyElf(word = 0x50000000): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + 8);
  const v = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  v.setUint16(16, 2, true);
  v.setUint16(18, 258, true);
  v.setBigUint64(24, 0x200000n, true);
  v.setBigUint64(32, 64n, true);
  v.setUint16(54, 56, true);
  v.setUint16(56, 1, true);
  v.setUint32(64, 1, true);
  v.setBigUint64(64 + 8, 120n, true);
  v.setBigUint64(64 + 16, 0x200000n, true);
  v.setBigUint64(64 + 24, 0x200000n, true);
  v.setBigUint64(64 + 32, 8n, true);
  v.setBigUint64(64 + 40, 8n, true);
  v.setUint32(120, word, true);
  v.setUint32(124, 0x53ffffff, true); // b -4
  return bytes;
}

/** `idle 0` with every interrupt off: the machine waits for ever. */
export const IDLE = 0x06488000;
