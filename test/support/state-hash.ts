import { createHash } from 'node:crypto';
import type { Machine } from '../../src/emu/machine/machine.ts';
import { STATE } from '../../src/emu/memory/layout.ts';

/**
 * A digest of the whole state of a machine. The scratch slots of slow accesses are not part of it: which accesses are slow depends on
 * caches.
 */
export function stateHash(machine: Machine): string {
  const hash = createHash('sha256');
  const state = machine.save();
  const text = (v: unknown): string =>
    JSON.stringify(v, (_, x: unknown) => {
      if (typeof x === 'bigint') return `${x}n`;
      if (x instanceof Map) return [...x];
      if (ArrayBuffer.isView(x))
        return createHash('sha256')
          .update(new Uint8Array(x.buffer, x.byteOffset, x.byteLength))
          .digest('hex');
      return x;
    });
  hash.update(text(state.parts));
  for (const c of state.cpus) hash.update(c.fill(0, STATE.va, STATE.llBit));
  for (const [n, chunk] of state.ram) if (chunk.some((b) => b !== 0)) hash.update(`${n}`).update(chunk);
  return hash.digest('hex');
}
