/**
 * What a debugger looks at: one world on one CPU, running now or parked. Reading changes nothing in the machine.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { peekCsr } from '../cpu/csr-access.ts';
import { CSR, csrByNumber } from '../cpu/csr-table.ts';
import { CSR_LIMIT, STATE } from '../cpu/layout.ts';

/** Host world. Guests are numbered by GID, 1 and up. */
export const HOST_WORLD = -1;

export interface DebugContext {
  readonly cpu: Cpu;
  readonly world: number;
  /** False when the registers are a snapshot: nothing can be written. */
  readonly live: boolean;
  pc(): bigint;
  gpr(n: number): bigint;
  /** Floating-point condition flag `n`; of the CPU, whatever the world: software switches them. */
  fcc(n: number): boolean;
  /** CSR of this world's own file. */
  csr(num: number): bigint;
  /** Physical address of the stage-2 table of a guest, when it is known. */
  stage2Root(): bigint | undefined;
}

/** A guest's registers as they were when it last left the CPU. */
interface Snapshot {
  readonly gpr: BigUint64Array;
  pc: bigint;
  readonly csr: BigUint64Array;
  /** Tick of the exit. */
  time: number;
}

/**
 * Keeps the registers of guests that are not running: taken at every VM exit, and the stage-2 root at every entry.
 */
export class GuestSnapshots {
  private readonly byKey = new Map<string, Snapshot>();
  private readonly roots = new Map<number, bigint>();

  private static key(gid: number, cpu: number): string {
    return `${gid}.${cpu}`;
  }

  /** Call before the CPU leaves guest mode. */
  exit(cpu: Cpu): void {
    const key = GuestSnapshots.key(cpu.gid, cpu.index);
    let s = this.byKey.get(key);
    if (!s) {
      s = { gpr: new BigUint64Array(32), pc: 0n, csr: new BigUint64Array(CSR_LIMIT), time: 0 };
      this.byKey.set(key, s);
    }
    const { u64 } = cpu.mem;
    s.gpr.set(u64.subarray((cpu.base + STATE.gpr) >> 3, ((cpu.base + STATE.gpr) >> 3) + 32));
    s.csr.set(u64.subarray((cpu.base + STATE.guestCsr) >> 3, ((cpu.base + STATE.guestCsr) >> 3) + CSR_LIMIT));
    s.pc = cpu.pc;
    s.time = cpu.now;
  }

  /** Call when the CPU has entered guest mode. */
  enter(cpu: Cpu): void {
    this.roots.set(cpu.gid, cpu.host.get(CSR.PGDL));
    const key = GuestSnapshots.key(cpu.gid, cpu.index);
    if (!this.byKey.has(key)) this.exit(cpu);
  }

  get(gid: number, cpu: number): Snapshot | undefined {
    return this.byKey.get(GuestSnapshots.key(gid, cpu));
  }

  root(gid: number): bigint | undefined {
    return this.roots.get(gid);
  }

  /** Every (GID, CPU) pair that has ever entered. */
  vcpus(): { gid: number; cpu: number }[] {
    return [...this.byKey.keys()]
      .map((k) => {
        const [gid, cpu] = k.split('.').map(Number);
        return { gid: gid!, cpu: cpu! };
      })
      .sort((a, b) => a.gid - b.gid || a.cpu - b.cpu);
  }

  clear(): void {
    this.byKey.clear();
    this.roots.clear();
  }
}

const fccOf =
  (cpu: Cpu) =>
  (n: number): boolean =>
    cpu.mem.u8[cpu.base + STATE.fcc + n] === 1;

/** The world that a CPU executes now. */
export function runningContext(cpu: Cpu, snapshots: GuestSnapshots): DebugContext {
  const world = cpu.world;
  return {
    cpu,
    world,
    live: true,
    pc: () => cpu.pc,
    gpr: (n) => cpu.gpr(n),
    fcc: fccOf(cpu),
    csr: (num) => peekCsr(cpu, cpu.vm, num),
    stage2Root: () => (world >= 0 ? cpu.host.get(CSR.PGDL) : snapshots.root(cpu.gid)),
  };
}

/** The host's world, whatever the CPU executes; its general registers are live only outside guest mode. */
export function hostContext(cpu: Cpu): DebugContext {
  return {
    cpu,
    world: HOST_WORLD,
    live: !cpu.vm,
    pc: () => (cpu.vm ? cpu.host.get(CSR.ERA) : cpu.pc),
    gpr: (n) => cpu.gpr(n),
    fcc: fccOf(cpu),
    csr: (num) => peekCsr(cpu, false, num),
    stage2Root: () => undefined,
  };
}

/** A guest on a CPU: live when it runs there now, else its snapshot; undefined when it never ran there. */
export function guestContext(cpu: Cpu, gid: number, snapshots: GuestSnapshots): DebugContext | undefined {
  if (cpu.vm && cpu.gid === gid) return runningContext(cpu, snapshots);
  const s = snapshots.get(gid, cpu.index);
  if (!s) return undefined;
  return {
    cpu,
    world: gid,
    live: false,
    pc: () => s.pc,
    gpr: (n) => s.gpr[n]!,
    fcc: fccOf(cpu),
    // PGD is computed, like the register.
    csr: (num) => {
      if (num !== CSR.PGD) return csrByNumber(num) ? s.csr[num]! : 0n;
      const bad = s.csr[CSR.TLBRERA]! & 1n ? s.csr[CSR.TLBRBADV]! : s.csr[CSR.BADV]!;
      return (bad >> 47n) & 1n ? s.csr[CSR.PGDH]! : s.csr[CSR.PGDL]!;
    },
    stage2Root: () => snapshots.root(gid),
  };
}
