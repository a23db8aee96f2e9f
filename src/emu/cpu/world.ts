/**
 * The world switch: the only two places that change the VM bit (docs/lvz.md, "Guest entry" and "Guest exit").
 */

import { STATE } from '../memory/layout.ts';
import type { Cpu } from './cpu.ts';
import { After, type AfterValue } from './helpers.ts';

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

/**
 * Root `ertn` with the previous-guest-mode bit set (isa/entry-return.ts): PC is already that of the guest.
 * @returns `next` on a CPU without LVZ, where this does nothing
 */
export function enterGuest(cpu: Cpu): AfterValue {
  if (!cpu.features.lvz) return After.next;
  cpu.vm = true;
  swapLl(cpu);
  cpu.modeChanged();
  cpu.events.entered(cpu.now);
  return After.jumped;
}

/** An exception to root in guest mode (isa/entry-return.ts). Guest CSRs stay as they are. */
export function leaveGuest(cpu: Cpu): AfterValue {
  cpu.observer.beforeExit?.(cpu);
  cpu.vm = false;
  swapLl(cpu);
  return After.next;
}

/** Clears the LL bit of a world that may not be the running one (LLBCTL.WCLLB). */
export function clearLlBit(cpu: Cpu, guest: boolean): void {
  if (guest === cpu.vm) cpu.breakLink();
  else cpu.breakParkedLink();
}

/** The LL bit of a world (LLBCTL.ROLLB). */
export function llBit(cpu: Cpu, guest: boolean): number {
  return guest === cpu.vm ? cpu.stateI32('llBit') : cpu.parkedLl[0]!;
}
