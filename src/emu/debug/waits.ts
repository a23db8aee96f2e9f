/** Waiting that nothing ends: a guest in `idle` with no interrupt enabled, and one that the host cannot interrupt. */
import type { Cpu } from '../cpu/cpu.ts';
import { peekCsr } from '../cpu/csr-access.ts';
import { CRMD, ESTAT, TCFG } from '../cpu/csr-fields.ts';
import { CSR, fieldNamed } from '../cpu/csr-table.ts';
import { type EventRecord, isInterruptExit } from '../cpu/event-ring.ts';
import { ecodeOf } from '../cpu/exception-table.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import { hex } from '../formats/hex.ts';
import { decode } from '../isa/decoder.ts';
import type { Machine } from '../machine/machine.ts';
import { INTERRUPT_LINES } from './decode-number.ts';
import { worldName } from './vms.ts';

const GSPR = ecodeOf('GSPR');
const TI = 11;
const LINES = 0x1fff;
/** TVAL of a one-shot timer that has expired. */
const EXPIRED = 0xffff_ffff_ffffn;
/** So many exits in a row must be those of `idle`. */
const LEAST = 16;
const LOOKED_AT = 256;

/** Why no interrupt can end an `idle`; undefined when one can. @param csr reads a CSR of the world that waits */
export function whyNoWake(csr: (num: number) => bigint): string | undefined {
  const enabled = Number(csr(CSR.ECFG)) & LINES;
  if (enabled === 0) return 'ECFG.LIE = 0: no interrupt can end it';
  const pending = Number(csr(CSR.ESTAT)) & enabled;
  if (enabled !== 1 << TI || pending) return undefined;
  const tcfg = Number(csr(CSR.TCFG));
  if (!(tcfg & TCFG.En)) return 'its timer alone is enabled (ECFG.LIE), and is off (TCFG.En = 0)';
  if (!(tcfg & TCFG.Periodic) && csr(CSR.TVAL) === EXPIRED)
    return 'its timer alone is enabled (ECFG.LIE), and has expired already (TCFG.Periodic = 0)';
  return undefined;
}

/** Interrupt lines that others may raise. */
const OTHERS = IS_MASK & ~ESTAT.TI;

/** Why no interrupt disturbs the world that a CPU runs. */
export const whyUndisturbed = (cpu: Cpu, machine: Machine): string | undefined =>
  cpu.csr.lo(CSR.CRMD) & CRMD.IE ? whyNoInterrupt(cpu, machine) : 'interrupts are off (CRMD.IE = 0)';

/** Why no interrupt comes to the world that a CPU runs, where CRMD.IE is 1. */
export function whyNoInterrupt(cpu: Cpu, machine: Machine): string | undefined {
  const lines = cpu.csr.lo(CSR.ECFG) & IS_MASK;
  const others = lines & OTHERS;
  // A hypervisor injects them.
  if (others && (cpu.vm || machine.mayInterrupt || cpu.csr.lo(CSR.ESTAT) & others)) return undefined;
  if (others & ESTAT.IPI && machine.cpus.length > 1) return undefined;
  const why = whyNoWake((num) => peekCsr(cpu, cpu.vm, num) & (num === CSR.ECFG ? ~BigInt(OTHERS) : ~0n));
  if (!why || others === 0) return why;
  return `ECFG.LIE = ${hex(lines)}, and the interrupt controller has no device enabled`;
}

/** Why an interrupt that is pending ends each `idle` and is never taken; undefined when that is not so. */
export function whyNotTaken(csr: (num: number) => bigint): string | undefined {
  const pending = Number(csr(CSR.ESTAT)) & Number(csr(CSR.ECFG)) & LINES;
  if (pending === 0 || fieldNamed('CRMD', 'IE', csr(CSR.CRMD))) return undefined;
  const lines = INTERRUPT_LINES.filter((_, n) => (pending >> n) & 1).join(' ');
  return `${lines} is pending and enabled, and CRMD.IE = 0: each idle ends at once, and the interrupt is never taken`;
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
    if (cpu.events.kindAt(back) === 'exception' && cpu.events.at(back)!.world >= 0) return undefined;
    if (cpu.events.kindAt(back) !== 'exit' || isInterruptExit(cpu.events, back)) continue;
    const r = cpu.events.at(back)!;
    if (r.ecode !== GSPR || decode(r.badi)?.name !== 'idle' || (newest && r.world !== newest.world)) return undefined;
    newest ??= r;
    exits++;
  }
  const csr = (num: number): bigint => peekCsr(cpu, true, num);
  const why = exits < LEAST ? undefined : (whyNoWake(csr) ?? whyNotTaken(csr));
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
