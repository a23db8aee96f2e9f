/** The JSON line of --stats. */

import type { Cpu } from '../emu/cpu/cpu.ts';
import { causeName } from '../emu/debug/catches.ts';
import { type ExitStatistics, top, type VcpuStatistics } from '../emu/debug/exit-statistics.ts';
import type { FirstEvent } from '../emu/debug/first-events.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import { hex } from '../emu/formats/hex.ts';
import type { Machine } from '../emu/machine/machine.ts';

const HOTTEST = 10;

function vcpuJson(v: VcpuStatistics, name: Symbolizer): object {
  const at = (pc: bigint): string => name(v.vm, pc) ?? '';
  return {
    vm: v.vm,
    vcpu: v.vcpu,
    entries: v.entries,
    exits: Object.fromEntries(
      [...v.causes].map(([cause, c]) => [
        cause,
        {
          count: c.count,
          // Instructions from exit to re-entry: one tick each.
          ...(c.returned && {
            meanLatency: Math.round(c.ticks / c.returned),
            minLatency: c.shortest,
            maxLatency: c.longest,
          }),
        },
      ]),
    ),
    hotPcs: top(v.pcs, HOTTEST).map(([pc, count]) => ({ pc: hex(pc), symbol: at(pc), count })),
    hotGpas: top(v.gpas, HOTTEST).map(([gpa, count]) => ({ gpa: hex(gpa), count })),
  };
}

/** The statistics line of --stats. */
export function statistics(
  machine: Pick<Machine, 'cpus' | 'instructions' | 'ram'>,
  seconds: number,
  detail?: { readonly exits: ExitStatistics; readonly first: readonly FirstEvent[]; readonly symbolize: Symbolizer },
): string {
  const byCause = (pick: (c: Cpu) => readonly Float64Array[]): Record<string, number> => {
    const out: Record<string, number> = {};
    for (const cpu of machine.cpus)
      for (const list of pick(cpu))
        list.forEach((n, ecode) => {
          if (n) out[causeName(ecode, 0)] = (out[causeName(ecode, 0)] ?? 0) + n;
        });
    return out;
  };
  const guest = machine.cpus.reduce((sum, c) => sum + c.guestIcount, 0);
  return JSON.stringify({
    instructions: machine.instructions,
    guestInstructions: guest,
    vmExits: byCause((c) => [c.events.exits]),
    exceptions: byCause((c) => [c.events.hostExceptions, c.events.guestExceptions]),
    wallSeconds: Number(seconds.toFixed(3)),
    mips: Number((machine.instructions / seconds / 1e6).toFixed(1)),
    // Bytes: the peak memory of the program, and the RAM that the guest has touched.
    peakMemory: process.resourceUsage().maxRSS * 1024,
    touchedRam: machine.ram.touched,
    ...(detail && {
      vcpus: detail.exits.list().map((v) => vcpuJson(v, detail.symbolize)),
      first: detail.first.map((e) => ({ tick: e.tick, cpu: e.cpu, what: e.what, pc: hex(e.pc) })),
    }),
  });
}
