/** Waiting that nothing ends: a guest in `idle` with no interrupt enabled, and one that the host cannot interrupt. */
import type { Cpu } from '../cpu/cpu.ts';
import { CRMD, TCFG } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { type EventRecord, isInterruptExit } from '../cpu/event-ring.ts';
import { ecodeOf } from '../cpu/exception-table.ts';
import { hex } from '../formats/hex.ts';
import { decode } from '../isa/decoder.ts';
import { worldName } from './vms.ts';

const GSPR = ecodeOf('GSPR');
const TI = 11;
const LINES = 0x1fff;
/** So many exits in a row must be those of `idle`. */
const LEAST = 16;
const LOOKED_AT = 256;

/** Why no interrupt can end an `idle`; undefined when one can. @param csr reads a CSR of the world that waits */
export function whyNoWake(csr: (num: number) => bigint): string | undefined {
  const enabled = Number(csr(CSR.ECFG)) & LINES;
  if (enabled === 0) return 'ECFG.LIE = 0: no interrupt can end it';
  const pending = Number(csr(CSR.ESTAT)) & enabled;
  if (enabled === 1 << TI && !pending && !(Number(csr(CSR.TCFG)) & TCFG.En))
    return 'its timer alone is enabled (ECFG.LIE), and is off (TCFG.En = 0)';
  return undefined;
}

/** What is known of a CPU that waits for nothing. */
export interface Wait {
  readonly record: EventRecord;
  readonly text: string;
}

/** A guest that has done nothing but wait for long, and that nothing can wake. */
export function waitsForNothing(cpu: Cpu): Wait | undefined {
  let newest: EventRecord | undefined;
  let exits = 0;
  const there = Math.min(cpu.events.total, LOOKED_AT);
  for (let back = 0; back < there && exits < LEAST; back++) {
    if (cpu.events.kindAt(back) !== 'exit' || isInterruptExit(cpu.events, back)) continue;
    const r = cpu.events.at(back)!;
    if (r.ecode !== GSPR || decode(r.badi)?.name !== 'idle' || (newest && r.world !== newest.world)) return undefined;
    newest ??= r;
    exits++;
  }
  const why = exits < LEAST ? undefined : whyNoWake((num) => cpu.guest.get(num));
  return newest && why !== undefined
    ? {
        record: newest,
        text: `${worldName(cpu, newest.world)} waits in idle at ${hex(newest.pc)} on cpu${cpu.index}, and ${why}`,
      }
    : undefined;
}

/** A guest that the host cannot interrupt. */
export function cannotBeInterrupted(cpu: Cpu): Wait | undefined {
  const record = cpu.events.lastEntry();
  if (!cpu.vm || !record || cpu.host.lo(CSR.CRMD) & CRMD.IE) return undefined;
  return {
    record,
    text: `${worldName(cpu, record.world)} runs on cpu${cpu.index} without an exit, and host interrupts are off: it was entered with PRMD.PIE = 0, so nothing but the guest itself brings the CPU back`,
  };
}
