/** When things happened for the first time: "when does my VMM really start?" */
import type { Cpu } from '../cpu/cpu.ts';
import { CSR } from '../cpu/csr-table.ts';
import { causeName } from './catches.ts';
import { vcpuOf } from './exit-statistics.ts';
import type { Symbolizer } from './symbolizer.ts';

export interface FirstEvent {
  readonly tick: number;
  readonly cpu: number;
  readonly what: string;
  readonly pc: bigint;
  /** World of `pc`. */
  readonly world: number;
}

/** Most events that are kept. A faulty hypervisor may use ever new vCPU numbers. */
const MOST_EVENTS = 10_000;

export class FirstEvents {
  readonly list: FirstEvent[] = [];
  private readonly seen = new Set<string>();

  /** @param silent true while the machine runs again what it has run before */
  constructor(cpus: readonly Cpu[], silent: () => boolean) {
    for (const cpu of cpus)
      cpu.observe({
        csrWrite: (c, w) => {
          if (w.bank === 'host' && w.num === CSR.GSTAT && !silent())
            this.note(`GSTAT on cpu${c.index}`, c, `first write of GSTAT on cpu${c.index}`, c.pc, -1);
          return false;
        },
        entered: (c) => {
          if (silent()) return;
          const who = `VM ${c.world} vcpu ${vcpuOf(c)}`;
          const entry = c.events.lastEntry();
          if (this.note(`entry ${who}`, c, `first entry into ${who}, by the ertn here`, entry?.va ?? 0n, -1))
            this.note(`instruction ${who}`, c, `first instruction of ${who}`, c.pc, c.world);
        },
        exception: (c) => {
          if (!c.events.lastIsExit || silent()) return;
          const r = c.events.at(0)!;
          const who = `VM ${r.world} vcpu ${vcpuOf(c)}`;
          const cause = causeName(r.ecode, r.esub);
          this.note(`exit ${who} ${cause}`, c, `first exit of ${who} for ${cause}`, r.pc, r.world);
        },
      });
  }

  private note(key: string, cpu: Cpu, what: string, pc: bigint, world: number): boolean {
    if (this.seen.size >= MOST_EVENTS || this.seen.has(key)) return false;
    this.seen.add(key);
    this.list.push({ tick: cpu.now, cpu: cpu.index, what, pc, world });
    return true;
  }
}

/** The event as a line of text. */
export function describeFirst(e: FirstEvent, name: Symbolizer): string {
  const symbol = name(e.world, e.pc);
  return `[${e.tick}] ${e.what}: 0x${e.pc.toString(16)}${symbol ? ` <${symbol}>` : ''}`;
}
