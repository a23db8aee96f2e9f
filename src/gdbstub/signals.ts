/** Signals in gdb's numbering, and the signal for each exception. */
import type { Cpu } from '../emu/cpu/cpu.ts';
import { exceptionByCode } from '../emu/cpu/exception-table.ts';

export const SIGNAL = { none: 0x00, interrupt: 0x02, trap: 0x05 } as const;

/** Exceptions as signals, for `catch signal` and `handle`. */
const EXCEPTION_SIGNALS: Readonly<Record<string, number>> = {
  INE: 0x04,
  IPE: 0x04,
  BRK: 0x05,
  FPE: 0x08,
  ALE: 0x0a,
  BCE: 0x0a,
  ADEF: 0x0b,
  ADEM: 0x0b,
  PIL: 0x0b,
  PIS: 0x0b,
  PIF: 0x0b,
  PME: 0x0b,
  PNR: 0x0b,
  PNX: 0x0b,
  PPI: 0x0b,
  FPD: 0x93,
  SXD: 0x93,
  ASXD: 0x93,
  SYS: 0x95,
};

/** The signal for the newest exception of a CPU; none when the exception has no signal. */
export function exceptionSignal(cpu: Cpu): number {
  const r = cpu.events.lastException();
  const name = r && exceptionByCode(r.ecode, r.esub)?.name;
  return (name === undefined ? undefined : EXCEPTION_SIGNALS[name]) ?? SIGNAL.none;
}
