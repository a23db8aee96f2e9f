/**
 * What the debugger knows about the reference hypervisor: where it keeps the contexts of its vCPUs. The layout is read
 * from context.h, the same file that C and assembly use.
 */
import { readFileSync } from 'node:fs';
import type { Machine } from '../emu/board/machine.ts';

const HEADER = new URL('./context.h', import.meta.url);
/** Symbol of the array of pointers to vCPU contexts, and how many it has room for. */
const VCPUS_SYMBOL = 'hv_vcpus';
const MAX_VCPUS = 32;
const PHYSICAL = (1n << 48n) - 1n;

/** Byte offsets of context.h, without the prefix CTX_. @throws Error when the header lacks one that is needed */
export function contextLayout(header = readFileSync(HEADER, 'utf8')): ReadonlyMap<string, number> {
  const layout = new Map<string, number>();
  for (const m of header.matchAll(/^#define CTX_(\w+) (0x[0-9a-f]+|\d+)/gm)) layout.set(m[1]!, Number(m[2]));
  for (const name of ['GPR', 'PC', 'GID', 'EXIT_ESTAT', 'SIZE'])
    if (!layout.has(name)) throw new Error(`context.h: CTX_${name} is missing`);
  return layout;
}

/** A vCPU context in the hypervisor's memory. */
export interface SavedContext {
  readonly gid: number;
  /** Physical address of the context. */
  readonly at: bigint;
  readonly pc: bigint;
  readonly gpr: readonly bigint[];
  readonly exitEstat: bigint;
}

/**
 * The contexts that the hypervisor has made so far; empty for any other program.
 * @param lookup address of a symbol of the booted image
 */
export function savedContexts(machine: Machine, lookup: (name: string) => bigint | undefined): SavedContext[] {
  const array = lookup(VCPUS_SYMBOL);
  if (array === undefined) return [];
  const layout = contextLayout();
  const read = (pa: bigint): bigint => {
    const bytes = machine.ram.read(Number(pa & PHYSICAL), 8);
    return bytes.length === 8 ? new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true) : 0n;
  };
  const out: SavedContext[] = [];
  for (let n = 0; n < MAX_VCPUS; n++) {
    const at = read(array + BigInt(8 * n)) & PHYSICAL;
    if (at === 0n) continue;
    const field = (name: string, index = 0): bigint => read(at + BigInt(layout.get(name)! + 8 * index));
    out.push({
      gid: Number(field('GID')),
      at,
      pc: field('PC'),
      gpr: Array.from({ length: 32 }, (_, r) => field('GPR', r)),
      exitEstat: field('EXIT_ESTAT'),
    });
  }
  return out;
}
