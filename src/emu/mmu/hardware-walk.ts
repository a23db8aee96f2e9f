/**
 * The page walk by hardware (`ptw`, switched on by PWCH.HPTW_En; Vol. 1 v1.10, section 5.4.5). Table entries then have a
 * present bit (7) and a write permission (8) of their own; V means accessed and D means written, and the walk sets them.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { ExceptionName } from '../cpu/exception-table.ts';
import { addressBits, levelGeometry, slotAddress } from './page-walk.ts';
import { ELO, shr } from './tlb.ts';
import { enterMapping } from './tlb-instructions.ts';

const HPTW_EN = 1 << 24;
const HUGE = 1 << 6;
const HUGE_GLOBAL = 1 << 12;
const PRESENT = 1 << 7;
const WRITABLE = 1 << 8;
/** Bits of an entry that the TLB holds: all but those that are software's or the walk's. */
const ELO_LO = ~0xf80;
const ELO_HI = 0xe000ffff | 0;

/** What the walk may answer: that the page does not allow the access, or that it has put the mapping into the TLB. */
type Outcome = ExceptionName | undefined;
const INVALID: readonly ExceptionName[] = ['PIL', 'PIS', 'PIF'];

/** Does the running world walk by hardware after this exception? */
export const walksAfter = (cpu: Cpu, exception: ExceptionName): boolean =>
  cpu.features.ptw &&
  (cpu.csr.lo(CSR.PWCH) & HPTW_EN) !== 0 &&
  (exception === 'TLBR' || exception === 'PME' || INVALID.includes(exception));

/**
 * Walks the tables of the running world for an access (0 load, 1 store, 2 fetch).
 * @param place where the doubleword at a table address is in linear memory; negative: no such memory, it reads as 0
 * @returns the exception, or undefined when the TLB holds the mapping
 */
export function hardwareWalk(
  cpu: Cpu,
  vaLo: number,
  vaHi: number,
  access: number,
  place: (address: number) => number,
): Outcome {
  const bank = cpu.csr;
  const { i32 } = cpu.mem;
  const va = addressBits(vaLo, vaHi);
  const root = vaHi & 0x8000 ? CSR.PGDH : CSR.PGDL;
  let lo = bank.lo(root);
  let hi = bank.hi(root);
  let at = -1;
  const read = (slot: number): void => {
    const host = place(slot);
    at = host < 0 ? -1 : host >>> 2;
    lo = at < 0 ? 0 : i32[at]!;
    hi = at < 0 ? 0 : i32[at + 1]!;
  };
  for (let level = 4; level >= 1; level--) {
    const { base, width } = levelGeometry(bank, level);
    if (width === 0) continue;
    read(slotAddress(bank, addressBits(lo, hi), level, va));
    if (lo & HUGE) return huge(cpu, va, base + width - 1, at, access);
  }
  const { base: ps } = levelGeometry(bank, 0);
  const odd = shr(va, ps) % 2;
  const even = slotAddress(bank, addressBits(lo, hi), 0, va, true);
  read(even + 8 * (1 - odd));
  const other = [lo, hi] as const;
  read(even + 8 * odd);
  const refused = admit(cpu, at, access);
  if (refused) return refused;
  const mine = [i32[at]!, i32[at + 1]!] as const;
  const halves = odd ? [other, mine] : [mine, other];
  enterMapping(cpu, {
    vppn: shr(va, 13) - (shr(va, 13) % 2 ** (ps - 12)),
    ps,
    eloLo: [halves[0]![0] & ELO_LO, halves[1]![0] & ELO_LO],
    eloHi: [halves[0]![1] & ELO_HI, halves[1]![1] & ELO_HI],
  });
  return undefined;
}

/** A directory entry that maps a pair of pages of 2^ps bytes itself. */
function huge(cpu: Cpu, va: number, ps: number, at: number, access: number): Outcome {
  const refused = admit(cpu, at, access);
  if (refused) return refused;
  const lo = cpu.mem.i32[at]!;
  const hi = cpu.mem.i32[at + 1]! & ELO_HI;
  const even = (lo & ELO_LO & ~(HUGE | HUGE_GLOBAL)) | (lo & HUGE_GLOBAL ? ELO.G : 0);
  const odd = (even >>> 0) + 2 ** ps;
  enterMapping(cpu, {
    vppn: shr(va, 13) - (shr(va, 13) % 2 ** (ps - 12)),
    ps,
    eloLo: [even, odd | 0],
    eloHi: [hi, hi + (odd >= 0x100000000 ? 1 : 0)],
  });
  return undefined;
}

/** Checks presence and write permission in the entry at i32 index `at`, and notes the access in it. */
function admit(cpu: Cpu, at: number, access: number): Outcome {
  const { i32 } = cpu.mem;
  for (;;) {
    const lo = at < 0 ? 0 : i32[at]!;
    if (!(lo & PRESENT)) return INVALID[access];
    if (access === 1 && !(lo & WRITABLE)) return 'PME';
    // Another CPU may be changing the entry.
    if (Atomics.compareExchange(i32, at, lo, lo | ELO.V | (access === 1 ? ELO.D : 0)) === lo) return undefined;
  }
}
