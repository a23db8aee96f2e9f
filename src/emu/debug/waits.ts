/** Waiting that nothing ends: a guest in `idle` with no interrupt enabled, and one that the host cannot interrupt. */
import type { Cpu } from '../cpu/cpu.ts';
import { peekCsr } from '../cpu/csr-access.ts';
import { CRMD, ESTAT, TCFG } from '../cpu/csr-fields.ts';
import { CSR, fieldNamed } from '../cpu/csr-table.ts';
import { HOST_TO_BANK } from '../cpu/csr-writers.ts';
import { type EventRecord, isInterruptExit } from '../cpu/event-ring.ts';
import { ecodeOf } from '../cpu/exception-table.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import { hex } from '../formats/hex.ts';
import { decode } from '../isa/decoder.ts';
import type { Machine } from '../machine/machine.ts';
import { lastWrite } from './csr-words.ts';
import { INTERRUPT_LINES } from './decode-number.ts';
import { worldName } from './vms.ts';

const GSPR = ecodeOf('GSPR');
const HVC = ecodeOf('HVC');
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

const HWI = ESTAT.HWI;

/**
 * Why what the hypervisor injects does not end the waiting of its guest, which has lines of devices enabled; undefined when something may.
 * @param idles does it wait in `idle`?
 */
export function whyNotInjected(cpu: Cpu, idles: boolean): string | undefined {
  const enabled = cpu.guest.lo(CSR.ECFG) & HWI;
  const raised = cpu.guest.lo(CSR.ESTAT) & HWI;
  const timer = cpu.guest.lo(CSR.ECFG) & ESTAT.TI && cpu.guestTimer.deadline !== Number.POSITIVE_INFINITY;
  if (enabled === 0 || timer || raised & enabled) return undefined;
  const names = (lines: number): string => INTERRUPT_LINES.filter((_, n) => (lines >> n) & 1).join(' ');
  if (raised !== 0)
    return `the guest has enabled ${names(enabled)} (ECFG.LIE), and what is raised for it is ${names(raised)}: GINTC = ${hex(cpu.host.lo(CSR.GINTC))}`;
  if (!idles) return undefined;
  const w = lastWrite(cpu, cpu.events.at(0)?.world ?? 0, CSR.ESTAT);
  if (w?.owner !== HOST_TO_BANK) return undefined;
  return `the guest has enabled ${names(enabled)} (ECFG.LIE), and none of it is raised: the host has written ESTAT of the guest at ${hex(w.pc)}, where IS[9:2] cannot be written; lines are raised in GINTC.HWIS`;
}

/** What is known of a CPU that waits for nothing. */
export interface Wait {
  readonly record: EventRecord;
  readonly text: string;
}

/** A guest that has done nothing but wait for long, and that nothing can wake. */
export function waitsForNothing(cpu: Cpu): Wait | undefined {
  // Most machines have no guests.
  if (cpu.events.entries === 0) return undefined;
  let newest: EventRecord | undefined;
  let exits = 0;
  const there = Math.min(cpu.events.total, LOOKED_AT);
  for (let back = 0; back < there && exits < LEAST; back++) {
    if (cpu.events.kindAt(back) === 'exception' && !cpu.events.inHost(back)) return undefined;
    if (cpu.events.kindAt(back) !== 'exit' || isInterruptExit(cpu.events, back)) continue;
    const r = cpu.events.at(back)!;
    const idles = r.ecode === GSPR && decode(r.badi)?.name === 'idle';
    if (!idles && r.ecode !== HVC) return undefined;
    if (newest && (r.world !== newest.world || r.ecode !== newest.ecode || (!idles && r.pc !== newest.pc)))
      return undefined;
    newest ??= r;
    exits++;
  }
  const csr = (num: number): bigint => peekCsr(cpu, true, num);
  if (exits < LEAST || !newest) return undefined;
  const idles = newest.ecode === GSPR;
  const why = (idles ? (whyNoWake(csr) ?? whyNotTaken(csr)) : undefined) ?? whyNotInjected(cpu, idles);
  if (why === undefined) return undefined;
  const how = idles ? 'waits in idle' : 'makes the same hypercall again and again';
  return {
    record: newest,
    text: `${worldName(cpu, newest.world)} ${how} at ${hex(newest.pc)} on cpu${cpu.index}, and ${why}`,
  };
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
