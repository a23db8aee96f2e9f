/**
 * Address translation as the architecture defines it: direct address mode, direct mapping windows, TLB; and stage 2
 * behind it in guest mode (Vol. 1, chapter 5; docs/lvz.md, "Address translation"). The slow path: running code
 * reads the software TLB, which is filled from here.
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { CsrBank } from '../cpu/csr-bank.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { ExceptionName } from '../cpu/exception-table.ts';
import { deliver } from '../cpu/exceptions.ts';
import { hardwareWalk, walksAfter } from './hardware-walk.ts';
import { ELO, shr, type Tlb } from './tlb.ts';

export const LOAD = 0;
export const STORE = 1;
export const FETCH = 2;
export type AccessType = typeof LOAD | typeof STORE | typeof FETCH;

const INVALID: readonly ExceptionName[] = ['PIL', 'PIS', 'PIF'];

/** Outcome of a translation attempt: an address, or the exception that says no. */
export type Fault = { readonly exception: ExceptionName; readonly root: boolean };
/** Exceptions as values, built once so that the slow path does not allocate for the common ones. */
const FAULTS = new Map<string, Fault>();
function fault(exception: ExceptionName, root: boolean): Fault {
  const key = exception + root;
  let f = FAULTS.get(key);
  if (!f) FAULTS.set(key, (f = { exception, root }));
  return f;
}

/** Physical address made of a TLBELO word pair and the page offset. */
export function pageAddress(eloLo: number, eloHi: number, ps: number, vaLo: number, vaHi: number): number {
  const size = 2 ** ps;
  const ppn = (eloHi & 0xffff) * 0x100000000 + ((eloLo & ~0xfff) >>> 0);
  const va = (vaHi & 0xffff) * 0x100000000 + (vaLo >>> 0);
  return shr(ppn, ps) * size + (va % size);
}

/** Stage 1 of a world, or the only stage of the host: VA → PA (GPA). */
export function stage1(
  bank: CsrBank,
  tlb: Tlb,
  gid: number,
  vaLo: number,
  vaHi: number,
  access: AccessType,
): number | Fault {
  const crmd = bank.lo(CSR.CRMD);
  const flat = (vaHi & 0xffff) * 0x100000000 + (vaLo >>> 0);
  if ((crmd & 0x18) !== 0x10) return flat;
  const plv = crmd & 3;
  for (let i = 0; i < 4; i++) {
    if (bank.hi(CSR.DMW0 + i) >>> 28 === vaHi >>> 28 && bank.lo(CSR.DMW0 + i) & (1 << plv)) return flat;
  }
  const top = vaHi >> 15;
  if (top !== 0 && top !== -1) return fault(access === FETCH ? 'ADEF' : 'ADEM', false);
  const vpn = (vaHi & 0xffff) * 0x100000 + (vaLo >>> 12);
  const i = tlb.find(shr(vpn, 1), gid, bank.lo(CSR.ASID) & 0x3ff, bank.lo(CSR.STLBPS) & 0x3f);
  if (i < 0) return fault('TLBR', false);
  const k = 2 * i + tlb.half(i, vpn);
  const lo = tlb.eloLo[k]!;
  const hi = tlb.eloHi[k]!;
  if (!(lo & ELO.V)) return fault(INVALID[access]!, false);
  if (access === FETCH && hi & ELO.NX_HI) return fault('PNX', false);
  if (access === LOAD && hi & ELO.NR_HI) return fault('PNR', false);
  const pagePlv = (lo >> 2) & 3;
  if (hi & ELO.RPLV_HI ? plv !== pagePlv : plv > pagePlv) return fault('PPI', false);
  // MISC.DWPLn lifts the write check for PLV n.
  if (access === STORE && !(lo & ELO.D) && !((bank.lo(CSR.MISC) >> (16 + plv)) & 1 && plv < 3))
    return fault('PME', false);
  return pageAddress(lo, hi, tlb.ps[i]!, vaLo, vaHi);
}

/** Stage 2 of the running guest, always (docs/lvz.md Q27): GPA → HPA. ASID, G and PLV of the entry are ignored (Q3). */
export function stage2(cpu: Cpu, gpa: number, access: AccessType): number | Fault {
  const vpn = shr(gpa, 12);
  const i = cpu.htlb.find(shr(vpn, 1), cpu.gid, -1, cpu.host.lo(CSR.STLBPS) & 0x3f);
  if (i < 0) return fault('TLBR', true);
  const k = 2 * i + cpu.htlb.half(i, vpn);
  const lo = cpu.htlb.eloLo[k]!;
  const hi = cpu.htlb.eloHi[k]!;
  if (!(lo & ELO.V)) return fault(INVALID[access]!, true);
  if (access === FETCH && hi & ELO.NX_HI) return fault('PNX', true);
  if (access === LOAD && hi & ELO.NR_HI) return fault('PNR', true);
  if (access === STORE && !(lo & ELO.D)) return fault('PME', true);
  return pageAddress(lo, hi, cpu.htlb.ps[i]!, gpa | 0, Math.floor(gpa / 0x100000000));
}

/**
 * Translates for an access of the running world. Delivers the exception when there is none.
 * @param badi the instruction word for BADI (0 for a fetch: docs/lvz.md Q28)
 * @returns the physical address, or −1 after an exception (STATE.pc is the vector)
 */
export function translate(cpu: Cpu, vaLo: number, vaHi: number, access: AccessType, badi: number): number {
  if (!cpu.vm) {
    // docs/lvz.md Q4: the host's own accesses use GID 0, whatever GTLBC.TGID is.
    let pa = stage1(cpu.host, cpu.htlb, 0, vaLo, vaHi, access);
    if (typeof pa !== 'number' && walksAfter(cpu, pa.exception)) {
      const refused = hardwareWalk(cpu, vaLo, vaHi, access, cpu.hostOf);
      pa = refused ? fault(refused, false) : stage1(cpu.host, cpu.htlb, 0, vaLo, vaHi, access);
    }
    if (typeof pa === 'number') return pa;
    deliver(cpu, pa.exception, { badv: { lo: vaLo, hi: vaHi }, badi });
    return -1;
  }
  let gpa = stage1(cpu.guest, cpu.gtlb, cpu.gid, vaLo, vaHi, access);
  if (typeof gpa !== 'number' && walksAfter(cpu, gpa.exception)) {
    // The tables of a guest are at guest physical addresses: a miss in stage 2 exits first, and the access runs again.
    let exited = false;
    const refused = hardwareWalk(cpu, vaLo, vaHi, access, (address) => {
      const pa = exited ? -1 : translateGpa(cpu, address, STORE, badi, vaLo, vaHi);
      exited ||= pa < 0;
      return pa < 0 ? -1 : cpu.hostOf(pa);
    });
    if (exited) return -1;
    gpa = refused ? fault(refused, false) : stage1(cpu.guest, cpu.gtlb, cpu.gid, vaLo, vaHi, access);
  }
  if (typeof gpa !== 'number') {
    deliver(cpu, gpa.exception, { badv: { lo: vaLo, hi: vaHi }, badi });
    return -1;
  }
  return translateGpa(cpu, gpa, access, badi, vaLo, vaHi);
}

/** Stage 2 for the running guest, with delivery. `gvaLo`, `gvaHi`: the guest virtual address behind it, for reports. */
export function translateGpa(
  cpu: Cpu,
  gpa: number,
  access: AccessType,
  badi: number,
  gvaLo: number,
  gvaHi: number,
): number {
  cpu.lastGpa = gpa;
  const pa = stage2(cpu, gpa, access);
  if (typeof pa === 'number') return pa;
  const badv = { lo: gpa | 0, hi: Math.floor(gpa / 0x100000000) };
  deliver(cpu, pa.exception, { badv, badi: access === FETCH ? 0 : badi, root: true, gva: { lo: gvaLo, hi: gvaHi } });
  return -1;
}
