/**
 * The page walk by hardware (feature `ptw`, enabled by PWCH.HPTW_En; Vol. 1 v1.10, section 5.4.5). Table entries then have a
 * separate present bit (7) and write permission (8). V means accessed and D means written, and the walk sets them.
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { CsrHalves } from '../cpu/csr-bank.ts';
import { PWCH, TLBELO } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { ExceptionName } from '../cpu/exception-table.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import { lowBits, shr } from '../tlb/tlb.ts';
import { type MachineTables, tablesOf } from './machine-tables.ts';
import { addressBits, ELO_HI, ELO_LO, otherSlot, setHalf, walkTables } from './page-walk.ts';
import { type AccessType, INVALID, STORE } from './stages.ts';
import { enterMapping } from './tlb-instructions.ts';

const HPTW_EN = PWCH.HPTW_En;
const PRESENT = 1 << 7;
const WRITABLE = 1 << 8;

/** Is the page walk by hardware enabled in the world with these registers? */
export const walksByHardware = (features: CpuFeatures, csr: CsrHalves): boolean =>
  features.ptw && (csr.lo(CSR.PWCH) & HPTW_EN) !== 0;

/** Does the hardware walk the tables of the running world after this exception? */
export const walksAfter = (cpu: Cpu, exception: ExceptionName): boolean =>
  walksByHardware(cpu.features, cpu.csr) &&
  (exception === 'TLBR' || exception === 'PME' || INVALID.includes(exception));

/** The exception of an access, from the low half of a table entry; undefined: the access is allowed. */
export function entryRefusal(entryLo: number, access: AccessType): ExceptionName | undefined {
  if (!(entryLo & PRESENT)) return INVALID[access]!;
  return access === STORE && !(entryLo & WRITABLE) ? 'PME' : undefined;
}

/** The low half of the entry after an allowed access. */
export const accessed = (entryLo: number, access: AccessType): number =>
  entryLo | TLBELO.V | (access === STORE ? TLBELO.D : 0);

/** Root of the tables for an address. */
export function rootFor(csr: CsrHalves, vaHi: number): number {
  const root = vaHi & 0x8000 ? CSR.PGDH : CSR.PGDL;
  return addressBits(csr.lo(root), csr.hi(root));
}

/**
 * Walks the tables of the running world for an access, with the reader of the CPU.
 * @returns the exception; undefined when the TLB holds the mapping, or when the reader could not reach a table
 */
export function hardwareWalk(cpu: Cpu, vaLo: number, vaHi: number, access: AccessType): ExceptionName | undefined {
  const { csr } = cpu;
  const tables = tablesOf(cpu);
  const { leaf, pair } = tables;
  tables.unreachable = undefined;
  const va = addressBits(vaLo, vaHi);
  if (!walkTables(csr, rootFor(csr, vaHi), va, true, tables, leaf)) return undefined;
  const refused = admit(cpu, tables, access);
  if (refused) return refused;
  const { i32 } = cpu.mem;
  const { odd, ps } = leaf;
  // Read the entry again: another CPU may have changed it since the walk read it.
  leaf.entryLo = i32[tables.at]!;
  leaf.entryHi = i32[tables.at + 1]!;
  setHalf(leaf, odd);
  pair.lo[odd] = leaf.lo & ELO_LO;
  pair.hi[odd] = leaf.hi & ELO_HI;
  if (leaf.level > 0) setHalf(leaf, 1 - odd);
  else {
    if (!tables.read(leaf.table, otherSlot(csr, leaf))) return undefined;
    leaf.lo = tables.lo;
    leaf.hi = tables.hi;
  }
  pair.lo[1 - odd] = leaf.lo & ELO_LO;
  pair.hi[1 - odd] = leaf.hi & ELO_HI;
  pair.vppn = shr(va, 13) - lowBits(shr(va, 13), ps - 12);
  pair.ps = ps;
  enterMapping(cpu, pair, shr(va, 13));
  return undefined;
}

/** Checks presence and write permission in the entry that was read last, and notes the access in it. */
function admit(cpu: Cpu, { at, pa }: MachineTables, access: AccessType): ExceptionName | undefined {
  const { i32 } = cpu.mem;
  for (;;) {
    const lo = at < 0 ? 0 : i32[at]!;
    const refused = entryRefusal(lo, access);
    if (refused) return refused;
    const noted = accessed(lo, access);
    if (noted !== lo) cpu.touch(pa);
    // Another CPU may be changing the entry.
    if (Atomics.compareExchange(i32, at, lo, noted) !== lo) continue;
    if (noted !== lo) cpu.links?.stored(cpu, 4 * at, 4);
    return undefined;
  }
}
