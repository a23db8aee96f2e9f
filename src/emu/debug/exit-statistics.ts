/** Statistics of VM exits: exits by cause, the time that the hypervisor needs for them, and their places. */

import type { Cpu } from '../cpu/cpu.ts';
import { CPUID } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import { hex } from '../formats/hex.ts';
import { causeName } from './catches.ts';
import type { Symbolizer } from './symbolizer.ts';

/** Exits of one cause: how many, and ticks from exit to re-entry. */
export interface CauseStatistics {
  count: number;
  /** Exits after which the guest was entered again, and the ticks between exit and entry. */
  returned: number;
  ticks: number;
  shortest: number;
  longest: number;
}

export interface VcpuStatistics {
  readonly vm: number;
  readonly vcpu: number;
  entries: number;
  readonly causes: Map<string, CauseStatistics>;
  /** Exits by guest PC, and by page of the guest physical address. */
  readonly pcs: Map<bigint, number>;
  readonly gpas: Map<bigint, number>;
}

/** Most places that are counted for a vCPU. Further places are ignored, so that a guest cannot use more memory. */
const MOST_PLACES = 10_000;

/** Most vCPUs that have their own counters. */
const MOST_VCPUS = 256;
/** The counter of all further vCPUs. */
const OTHERS = 'others';

function count(map: Map<bigint, number>, key: bigint): void {
  const n = map.get(key);
  if (n !== undefined || map.size < MOST_PLACES) map.set(key, (n ?? 0) + 1);
}

/** The most frequent keys of a map. */
export const top = (map: ReadonlyMap<bigint, number>, most: number): [key: bigint, count: number][] =>
  [...map].sort((a, b) => b[1] - a[1]).slice(0, most);

/** Number of the vCPU on a CPU: the value that the hypervisor has put into CPUID of the guest. */
export const vcpuOf = (cpu: Cpu): number => cpu.guest.lo(CSR.CPUID) & CPUID.CoreID;

export class ExitStatistics {
  private readonly byVcpu = new Map<string, VcpuStatistics>();
  /** For each CPU: the exit after which the guest was not entered yet. */
  private readonly open = new Map<
    Cpu,
    { readonly of: VcpuStatistics; readonly cause: string; readonly time: number }
  >();
  private readonly stops: (() => void)[];

  /** @param silent true while the machine runs again what it has run before */
  constructor(cpus: readonly Cpu[], silent: () => boolean) {
    this.stops = cpus.map((cpu) =>
      cpu.observe({
        entered: (c) => {
          if (!silent()) this.entered(c);
        },
        exception: (c) => {
          if (c.events.lastIsExit && !silent()) this.exit(c, c.events.at(0)!);
        },
      }),
    );
  }

  /** Stops counting. */
  end(): void {
    for (const stop of this.stops) stop();
  }

  private of(vm: number, vcpu: number): VcpuStatistics {
    const known = `${vm}.${vcpu}`;
    const key = this.byVcpu.size < MOST_VCPUS || this.byVcpu.has(known) ? known : OTHERS;
    let s = this.byVcpu.get(key);
    if (!s) {
      const others = key === OTHERS;
      s = {
        vm: others ? -1 : vm,
        vcpu: others ? -1 : vcpu,
        entries: 0,
        causes: new Map(),
        pcs: new Map(),
        gpas: new Map(),
      };
      this.byVcpu.set(key, s);
    }
    return s;
  }

  private exit(cpu: Cpu, r: EventRecord): void {
    const s = this.of(r.world, vcpuOf(cpu));
    const cause = causeName(r.ecode, r.esub);
    let c = s.causes.get(cause);
    if (!c) {
      c = { count: 0, returned: 0, ticks: 0, shortest: Number.POSITIVE_INFINITY, longest: 0 };
      s.causes.set(cause, c);
    }
    c.count++;
    count(s.pcs, r.pc);
    if (r.hasBadv) count(s.gpas, r.badv & ~0xfffn);
    this.open.set(cpu, { of: s, cause, time: r.time });
  }

  private entered(cpu: Cpu): void {
    const s = this.of(cpu.world, vcpuOf(cpu));
    s.entries++;
    const open = this.open.get(cpu);
    this.open.delete(cpu);
    // The entry of another vCPU does not end this exit.
    if (open?.of !== s) return;
    const c = s.causes.get(open.cause)!;
    const ticks = cpu.now - open.time;
    c.returned++;
    c.ticks += ticks;
    c.shortest = Math.min(c.shortest, ticks);
    c.longest = Math.max(c.longest, ticks);
  }

  /** By GID and vCPU. */
  list(): VcpuStatistics[] {
    return [...this.byVcpu.values()].sort((a, b) => a.vm - b.vm || a.vcpu - b.vcpu);
  }
}

/** Per vCPU: exits by cause with latencies, hottest PCs and guest physical pages. */
export function describeStatistics(exits: ExitStatistics, name: Symbolizer): string[] {
  const out: string[] = [];
  for (const v of exits.list()) {
    out.push(`${v.vm < 0 ? 'all other vCPUs' : `VM ${v.vm} vcpu ${v.vcpu}`}: ${v.entries} entries`);
    out.push(
      `  ${'exit'.padEnd(10)}${'count'.padStart(10)}${'mean'.padStart(10)}${'min'.padStart(10)}${'max'.padStart(10)}  instructions to re-entry`,
    );
    for (const [cause, c] of [...v.causes].sort((a, b) => b[1].count - a[1].count)) {
      const latency = c.returned
        ? [Math.round(c.ticks / c.returned), c.shortest, c.longest].map(String)
        : ['-', '-', '-'];
      out.push(`  ${cause.padEnd(10)}${String(c.count).padStart(10)}${latency.map((l) => l.padStart(10)).join('')}`);
    }
    for (const [pc, n] of top(v.pcs, 5))
      out.push(`  hot pc   ${hex(pc)}${name(v.vm, pc) ? ` <${name(v.vm, pc)}>` : ''}: ${n}`);
    for (const [gpa, n] of top(v.gpas, 5)) out.push(`  hot page GPA ${hex(gpa)}: ${n}`);
  }
  return out;
}

/** The statistics of a machine that can be started again. */
export class ExitCount {
  private statistics: ExitStatistics | undefined;
  private readonly cpus: readonly Cpu[];
  private readonly repeating: () => boolean;

  /** @param repeating does the machine execute a part of its history again? Then nothing is counted */
  constructor(cpus: readonly Cpu[], repeating: () => boolean) {
    this.cpus = cpus;
    this.repeating = repeating;
  }

  /** The statistics, while they are being collected. */
  get current(): ExitStatistics | undefined {
    return this.statistics;
  }

  /** Starts new statistics. */
  begin(): ExitStatistics {
    this.end();
    return (this.statistics = new ExitStatistics(this.cpus, this.repeating));
  }

  end(): void {
    this.statistics?.end();
    this.statistics = undefined;
  }
}
