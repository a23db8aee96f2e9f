/**
 * Address translation for running code, with its exceptions and the page walk by hardware. This is the slow path:
 * running code reads the software TLB, which is filled from here. The translation rules are in stages.ts.
 */
import { addressHigh } from '../cpu/address-mode.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { deliver } from '../cpu/exceptions.ts';
import { hardwareWalk, walksAfter } from './hardware-walk.ts';
import { tablesOf } from './machine-tables.ts';
import { type AccessType, type Fault, FETCH, fault, stage1, stage2 } from './stages.ts';

/** Stage 1 of the running world; docs/lvz.md Q4: the host's own accesses use GID 0, whatever GTLBC.TGID is. */
const own = (cpu: Cpu, vaLo: number, vaHi: number, access: AccessType): number | Fault =>
  stage1(cpu.vm ? cpu.guestStage : cpu.hostStage, vaLo, vaHi, access);

/**
 * Translates an address for an access of the running world. When there is no translation, it delivers the exception.
 * @param high the high half of the address, as software made it: 32-bit address mode ignores it
 * @param badi the instruction word for BADI (0 for a fetch: docs/lvz.md Q28)
 * @returns the physical address, or −1 after an exception (STATE.pc is the vector)
 */
export function translate(cpu: Cpu, vaLo: number, high: number, access: AccessType, badi: number): number {
  const vaHi = addressHigh(cpu.csr, high);
  let pa = own(cpu, vaLo, vaHi, access);
  if (typeof pa !== 'number' && walksAfter(cpu, pa.exception)) {
    const refused = hardwareWalk(cpu, vaLo, vaHi, access);
    const { unreachable, slot } = tablesOf(cpu);
    // The tables of a guest are at guest physical addresses. A stage-2 miss exits first, and then the access is repeated.
    if (unreachable) return exit(cpu, unreachable, slot, { type: access, badi, va: { lo: vaLo, hi: vaHi } });
    pa = refused ? fault(refused, false) : own(cpu, vaLo, vaHi, access);
  }
  if (typeof pa !== 'number') {
    deliver(cpu, pa.exception, { badv: { lo: vaLo, hi: vaHi }, badi });
    return -1;
  }
  if (!cpu.vm) return pa;
  const hpa = stage2(cpu.guestStage2, (cpu.lastGpa = pa), access);
  return typeof hpa === 'number' ? hpa : exit(cpu, hpa, pa, { type: access, badi, va: { lo: vaLo, hi: vaHi } });
}

/** An access of a guest, for the exception that it may end in. */
export interface GuestAccess {
  readonly type: AccessType;
  /** The instruction word. */
  readonly badi: number;
  /** The guest virtual address, as halves. */
  readonly va: { readonly lo: number; readonly hi: number };
}

/**
 * Stage 2 for the running guest, with delivery.
 * @returns the physical address, or −1 after an exit (STATE.pc is the vector)
 */
export function translateGpa(cpu: Cpu, gpa: number, access: GuestAccess): number {
  const pa = stage2(cpu.guestStage2, (cpu.lastGpa = gpa), access.type);
  return typeof pa === 'number' ? pa : exit(cpu, pa, gpa, access);
}

/** Leaves the guest for a fault of stage 2. */
function exit(cpu: Cpu, { exception }: Fault, gpa: number, { type, badi, va }: GuestAccess): -1 {
  cpu.lastGpa = gpa;
  const badv = { lo: gpa | 0, hi: Math.floor(gpa / 0x100000000) };
  deliver(cpu, exception, { badv, badi: type === FETCH ? 0 : badi, root: true, gva: va });
  return -1;
}
