/** Interrupt lines, pending state and delivery (Vol. 1, section 6.1; docs/lvz.md, "Interrupts"). */
import type { Cpu } from './cpu.ts';
import { CRMD, ESTAT, fieldOf, GINTC, inField } from './csr-fields.ts';
import { CSR } from './csr-table.ts';
import { deliver } from './exceptions.ts';

/** ESTAT.IS bits that exist. */
export const IS_MASK = ESTAT.SWI | ESTAT.HWI | ESTAT.PMI | ESTAT.TI | ESTAT.IPI;

/** Recomputes ESTAT.IS[9:2] and [12] of the host, and IS[9:2] of the guest, from lines and GINTC. */
export function updateLines(cpu: Cpu): void {
  cpu.host.update(CSR.ESTAT, ESTAT.HWI | ESTAT.IPI, cpu.lines);
  const gintc = cpu.host.lo(CSR.GINTC);
  const injected = fieldOf(gintc, GINTC.HWIS);
  const passed = fieldOf(cpu.lines, ESTAT.HWI) & fieldOf(gintc, GINTC.HWIP);
  cpu.guest.update(CSR.ESTAT, ESTAT.HWI, inField(injected | passed, ESTAT.HWI));
}

/** Sets or clears one physical line (`bit`: its ESTAT.IS bit number). */
export function setLine(cpu: Cpu, bit: number, level: boolean): void {
  const before = cpu.lines;
  cpu.lines = level ? before | (1 << bit) : before & ~(1 << bit);
  if (cpu.lines === before) return;
  // docs/lvz.md Q12: when HWIC of a line is set, its falling edge clears the level that software has injected.
  const line = fieldOf(1 << bit, ESTAT.HWI);
  if (!level && line & fieldOf(cpu.host.lo(CSR.GINTC), GINTC.HWIC))
    cpu.host.update(CSR.GINTC, inField(line, GINTC.HWIS), 0);
  updateLines(cpu);
}

/** Interrupts of the host that are pending and enabled in ECFG, for any value of CRMD.IE: they end `idle`. */
export const hostPending = (cpu: Cpu): number => cpu.host.lo(CSR.ESTAT) & cpu.host.lo(CSR.ECFG) & IS_MASK;

const guestPending = (cpu: Cpu): number => cpu.guest.lo(CSR.ESTAT) & cpu.guest.lo(CSR.ECFG) & IS_MASK;

/** Must an interrupt be taken before the next instruction? */
export const interruptDue = (cpu: Cpu): boolean => cpu.routines.interruptDue() !== 0;

/**
 * In a perturbed run an interrupt may arrive some instructions later.
 * @returns for how many instructions the interrupt that is due still waits; 0: none is due, or it does not wait
 */
export function interruptWait(cpu: Cpu): number {
  const { chances, icount } = cpu;
  if (!chances || !interruptDue(cpu) || icount === cpu.heldUntil) return 0;
  if (icount > cpu.heldUntil) cpu.heldUntil = icount + chances.choose('irq', cpu.index, icount);
  return cpu.heldUntil - icount;
}

/** Delivers the interrupt that must be taken before the next instruction, if any. Those of the host come first. */
export function takeInterrupt(cpu: Cpu): boolean {
  // docs/lvz.md Q24: with R.CRMD.IE = 0 nothing exits.
  if (cpu.host.lo(CSR.CRMD) & CRMD.IE) {
    const pending = hostPending(cpu);
    if (pending) {
      deliver(cpu, 'INT', { root: true, badi: 31 - Math.clz32(pending) });
      return true;
    }
  }
  if (cpu.vm && cpu.guest.lo(CSR.CRMD) & CRMD.IE) {
    const pending = guestPending(cpu);
    if (pending) {
      deliver(cpu, 'INT', { badi: 31 - Math.clz32(pending) });
      return true;
    }
  }
  return false;
}
