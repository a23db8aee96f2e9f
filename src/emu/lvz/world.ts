/**
 * The world switch: the only two places that change the VM bit (docs/lvz.md, "Guest entry" and "Guest exit").
 */
import type { Cpu } from '../cpu/cpu.ts';
import { STATE } from '../cpu/layout.ts';

/** Exchanges the LL state with that of the other world: each world has its own LL bit. */
function swapLl(cpu: Cpu): void {
  const { i32 } = cpu.mem;
  const first = (cpu.base + STATE.llBit) >> 2;
  for (let k = 0; k < 4; k++) {
    const t = i32[first + k]!;
    i32[first + k] = cpu.parkedLl[k]!;
    cpu.parkedLl[k] = t;
  }
}

/** Root `ertn` with the previous-guest-mode bit set. PC is the guest's already; `fromLo`, `fromHi`: the `ertn`. */
export function enterGuest(cpu: Cpu, fromLo: number, fromHi: number): void {
  cpu.vm = true;
  swapLl(cpu);
  cpu.modeChanged();
  const lo = cpu.pcLo;
  const hi = cpu.pcHi;
  cpu.events.push(2, cpu.now, cpu.gid, 0, 0, lo, hi, false, 0, 0, 0, fromLo, fromHi, false);
  cpu.observer.entered?.(cpu);
}

/** An exception to root in guest mode. Guest CSRs stay as they are; the caller writes the root's. */
export function leaveGuest(cpu: Cpu): void {
  cpu.observer.beforeExit?.(cpu);
  cpu.vm = false;
  swapLl(cpu);
}

/** Clears the LL bit of a world that may not be the running one (LLBCTL.WCLLB). */
export function clearLlBit(cpu: Cpu, guest: boolean): void {
  if (guest === cpu.vm) cpu.setStateI32('llBit', 0);
  else cpu.parkedLl[0] = 0;
}

/** The LL bit of a world (LLBCTL.ROLLB). */
export function llBit(cpu: Cpu, guest: boolean): number {
  return guest === cpu.vm ? cpu.stateI32('llBit') : cpu.parkedLl[0]!;
}
