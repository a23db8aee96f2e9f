/** What differs between two moments of the history: registers and CSRs of each CPU, and memory. */
import { peekCsr } from '../cpu/csr-access.ts';
import { CSRS } from '../cpu/csr-table.ts';
import { CPU_STATE_BYTES, PAGE, STATE } from '../memory/layout.ts';
import type { Steps } from '../runtime/steps.ts';
import type { RunControl } from './run-control.ts';

/** A register that has another value. */
export interface RegisterChange {
  readonly cpu: number;
  readonly name: string;
  readonly before: bigint;
  readonly after: bigint;
}

/** Bytes of physical memory that differ, neighbours joined. */
export interface MemoryChange {
  readonly pa: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

export interface Difference {
  readonly registers: readonly RegisterChange[];
  readonly memory: readonly MemoryChange[];
  /** Pages of memory that differ. `memory` may have only the first of them. */
  readonly pages: number;
}

/** Most pages whose bytes are compared. The others are counted. */
const MOST_PAGES = 256;
/** Bytes between two changes that are taken as one. */
const NEAR = 8;

const NAMES: readonly string[] = [
  ...['r0', 'ra', 'tp', 'sp', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7'],
  ...['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 'r21', 'fp'],
  ...['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8'],
];

/** The registers of all CPUs by CPU and name. */
function registers({ machine }: RunControl): Map<string, bigint> {
  const out = new Map<string, bigint>();
  for (const cpu of machine.cpus) {
    const put = (name: string, value: bigint): void => void out.set(`${cpu.index} ${name}`, value);
    put('pc', cpu.pc);
    NAMES.forEach((name, n) => {
      put(name, cpu.gpr(n));
    });
    const page = machine.mem.u64.subarray(cpu.base >> 3, (cpu.base + CPU_STATE_BYTES) >> 3);
    for (let n = 0; n < 32; n++) put(`f${n}`, page[(STATE.fpr + 32 * n) >> 3]!);
    for (const row of CSRS) {
      const name = row.name.toLowerCase();
      put(name, cpu.vm ? cpu.host.get(row.num) : peekCsr(cpu, false, row.num));
      put(`g_${name}`, cpu.guest.get(row.num));
    }
  }
  return out;
}

/** Digests of the pages of RAM by physical address. Pages that hold zeros alone have none. */
function* digests({ machine }: RunControl): Steps<Map<number, number>> {
  const out = new Map<number, number>();
  for (const [pa, content] of machine.ram.touchedChunks()) {
    for (let at = 0; at < content.length; at += PAGE) {
      const words = new Uint32Array(content.buffer, content.byteOffset + at, PAGE / 4);
      let digest = 0;
      for (let n = 0; n < words.length; n++) digest = (Math.imul(digest ^ words[n]!, 0x01000193) + n) | 0;
      if (digest !== ZERO_PAGE) out.set(pa + at, digest);
    }
    yield;
  }
  return out;
}

/** The digest of a page of zeros. */
const ZERO_PAGE = ((): number => {
  let digest = 0;
  for (let n = 0; n < PAGE / 4; n++) digest = (Math.imul(digest, 0x01000193) + n) | 0;
  return digest;
})();

function changes(pa: number, before: Uint8Array, after: Uint8Array): MemoryChange[] {
  const out: MemoryChange[] = [];
  for (let n = 0; n < PAGE; n++) {
    if (before[n] === after[n]) continue;
    let end = n + 1;
    for (let look = end; look < Math.min(PAGE, end + NEAR); look++) if (before[look] !== after[look]) end = look + 1;
    out.push({ pa: pa + n, before: before.slice(n, end), after: after.slice(n, end) });
    n = end;
  }
  return out;
}

/** What differs between two positions. The machine is at the second one afterwards. */
export function* comparing(control: RunControl, first: number, second: number): Steps<Difference> {
  const { replayer, machine } = control;
  yield* replayer.going(first);
  const registersBefore = registers(control);
  const pagesBefore = yield* digests(control);
  yield* replayer.going(second);
  const registersAfter = registers(control);
  const pagesAfter = yield* digests(control);
  const all = new Set([...pagesBefore.keys(), ...pagesAfter.keys()]);
  const differing = [...all].filter((pa) => pagesBefore.get(pa) !== pagesAfter.get(pa)).sort((a, b) => a - b);
  const shown = differing.slice(0, MOST_PAGES);
  const read = (pa: number): Uint8Array => machine.ram.read(pa, PAGE).slice();
  const after = shown.map(read);
  yield* replayer.going(first);
  const before = shown.map(read);
  yield* replayer.going(second);
  return {
    registers: [...registersAfter].flatMap(([key, value]) => {
      const [cpu, name] = key.split(' ') as [string, string];
      const old = registersBefore.get(key)!;
      return old === value ? [] : [{ cpu: Number(cpu), name, before: old, after: value }];
    }),
    memory: shown.flatMap((pa, n) => changes(pa, before[n]!, after[n]!)),
    pages: differing.length,
  };
}
