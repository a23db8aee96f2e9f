/**
 * What values of CSRs say by themselves: at any time, when a guest has been entered, or when the host has control again. Rules use them
 * for explanations, the auditor for its findings, and `info csr` for its remarks.
 */
import type { Cpu } from '../../cpu/cpu.ts';
import { CSR, csrByNumber, fieldNamed } from '../../cpu/csr-table.ts';
import { type CsrWrite, HOST_OWN } from '../../cpu/csr-writers.ts';
import { hex } from '../../formats/hex.ts';
import type { Machine } from '../../machine/machine.ts';
import { HOST_WORLD } from '../context.ts';
import { csrName, describeWrite, hasWritten, lastWrite } from '../csr-words.ts';
import type { Symbolizer } from '../symbolizer.ts';

/** Registers of a world, as they are now. */
export interface Values {
  readonly cpu: Cpu;
  readonly machine: Machine;
  /** The host, or the number of a VM. */
  readonly world: number;
  readonly csr: (num: number) => bigint;
  readonly name: Symbolizer;
}

const ALIGNMENT = 0xfffn;
const VECTORS = [CSR.EENTRY, CSR.TLBRENTRY];

/** The value that software wrote. */
export const written = (w: CsrWrite): bigint => (BigInt(w.high >>> 0) << 32n) | BigInt(w.low >>> 0);

const wrote = ({ cpu, world, name }: Values, num: number): string =>
  `(${csrByNumber(num)!.name} ${describeWrite(lastWrite(cpu, world, num), name)})`;

/** The vectors of the host that have never been written. */
export function vectorUnset({ cpu, csr }: Values): string | undefined {
  const num = VECTORS.find((n) => !cpu.writers.last(HOST_OWN, n));
  if (num === undefined) return undefined;
  const what = num === CSR.EENTRY ? 'exits' : 'stage-2 misses';
  return `the host never wrote ${csrByNumber(num)!.name}: its ${what} arrive at ${hex(csr(num))}`;
}

/** Bits of a vector that were written and are not kept. */
export const vectorUnaligned = (v: Values): string | undefined =>
  VECTORS.map((num) => unaligned(v, num)).find((text) => text !== undefined);

export function unaligned({ cpu, world, csr, name }: Values, num: number): string | undefined {
  const write = lastWrite(cpu, world, num);
  if (!write) return undefined;
  const lost = written(write) & ~csr(num) & ALIGNMENT;
  if (lost === 0n) return undefined;
  return `${csrName(world, num)} was given ${hex(written(write))} and keeps ${hex(csr(num))}: the handler is not aligned to 4 KiB, and every event arrives ${hex(lost)} bytes before it (${describeWrite(write, name)})`;
}

/** A refill vector of the host where no RAM is. */
export function refillNowhere(v: Values): string | undefined {
  const { machine, world, csr, cpu } = v;
  const value = csr(CSR.TLBRENTRY);
  if (world !== HOST_WORLD || !hasWritten(cpu, world, CSR.TLBRENTRY) || machine.ram.has(Number(value)))
    return undefined;
  return `TLBRENTRY is ${hex(value)}, where no RAM is: the refill handler runs in direct address mode and needs its physical address ${wrote(v, CSR.TLBRENTRY)}`;
}

export function gidZero({ csr }: Values): string | undefined {
  if (fieldNamed('GSTAT', 'GID', csr(CSR.GSTAT)) !== 0) return undefined;
  return 'the guest runs with GSTAT.GID 0, the GID of the host: its translations are mixed with those of the host, and no invtlb of a guest meets them';
}

export function otherTgid(v: Values): string | undefined {
  const gtlbc = v.csr(CSR.GTLBC);
  const [tgid, gid] = [fieldNamed('GTLBC', 'TGID', gtlbc), fieldNamed('GSTAT', 'GID', v.csr(CSR.GSTAT))];
  if (!fieldNamed('GTLBC', 'USETGID', gtlbc) || tgid === gid) return undefined;
  return `GTLBC.TGID is ${tgid} and the guest's GID ${gid}: the refill fills an entry that this guest never finds ${wrote(v, CSR.GTLBC)}`;
}

/** PRMD.PIE has become CRMD.IE of the host by the entry. */
export function interruptsOff({ csr }: Values): string | undefined {
  if (fieldNamed('CRMD', 'IE', csr(CSR.CRMD))) return undefined;
  return 'the guest was entered with PRMD.PIE = 0: host interrupts are off while it runs, so nothing but the guest itself brings the CPU back';
}

export function noMode({ cpu }: Values): string | undefined {
  const mode = cpu.guest.get(CSR.CRMD);
  if (fieldNamed('CRMD', 'DA', mode) || fieldNamed('CRMD', 'PG', mode)) return undefined;
  return `the guest was entered with g_crmd = ${hex(mode)}: DA and PG are 0, which the manual leaves undefined; a vCPU begins with CRMD.DA = 1`;
}

/** In the host. */
export function pgmLeft(v: Values): string | undefined {
  if (!fieldNamed('GSTAT', 'PGM', v.csr(CSR.GSTAT))) return undefined;
  return `GSTAT.PGM is still 1 in the host: each ertn of the host goes into the guest ${wrote(v, CSR.GSTAT)}`;
}

/** In the host. */
export function tgidLeft(v: Values): string | undefined {
  const tgid = fieldNamed('GTLBC', 'TGID', v.csr(CSR.GTLBC));
  if (tgid === 0) return undefined;
  return `GTLBC.TGID is still ${tgid} in the host: its own TLB instructions write entries of that guest ${wrote(v, CSR.GTLBC)}`;
}

/** A window that is set and open to nobody. */
export function closedWindow(v: Values): string | undefined {
  const num = [0, 1, 2, 3].map((n) => CSR.DMW0 + n).find((n) => v.csr(n) !== 0n && (v.csr(n) & PLVS) === 0n);
  if (num === undefined) return undefined;
  return `${csrName(v.world, num)} = ${hex(v.csr(num))} is open to no PLV (bits 3:0) ${wrote(v, num)}`;
}

const PLVS = 0xfn;

/** The levels of page tables, from the lowest: names of their fields. */
const LEVELS = [
  { register: 'PWCL', name: 'PT', base: 'PTbase', width: 'PTwidth' },
  { register: 'PWCL', name: 'Dir1_', base: 'Dir1_base', width: 'Dir1_width' },
  { register: 'PWCL', name: 'Dir2_', base: 'Dir2_base', width: 'Dir2_width' },
  { register: 'PWCH', name: 'Dir3_', base: 'Dir3_base', width: 'Dir3_width' },
  { register: 'PWCH', name: 'Dir4_', base: 'Dir4_base', width: 'Dir4_width' },
] as const;

/** A level of page tables: the register that describes it, and the bits of the address that choose an entry. */
export interface Level {
  readonly num: number;
  readonly name: string;
  readonly base: number;
  readonly width: number;
}

/** The levels 0 (page table) to 4; `width` is 0 for those that are not described. */
export function levelsOf(csr: (num: number) => bigint): Level[] {
  const [low, high] = [csr(CSR.PWCL), csr(CSR.PWCH)];
  return LEVELS.map((l) =>
    l.register === 'PWCL'
      ? { num: CSR.PWCL, name: l.name, base: fieldNamed('PWCL', l.base, low), width: fieldNamed('PWCL', l.width, low) }
      : {
          num: CSR.PWCH,
          name: l.name,
          base: fieldNamed('PWCH', l.base, high),
          width: fieldNamed('PWCH', l.width, high),
        },
  );
}

/** The name of PWCL or PWCH of a world. */
export const levelRegister = (world: number, num: number): string =>
  `${world === HOST_WORLD ? '' : 'the guest’s '}${csrByNumber(num)!.name}`;

/** A level that does not begin where the one below ends. */
export function levelGap(v: Values): string | undefined {
  const present = levelsOf(v.csr).filter((level) => level.width > 0);
  for (let n = 1; n < present.length; n++) {
    const [below, level] = [present[n - 1]!, present[n]!];
    const end = below.base + below.width;
    if (level.base !== end)
      return `${levelRegister(v.world, level.num)}.${level.name}base is ${level.base}, and the level below (${below.name}base ${below.base}, ${below.width} bits) ends at bit ${end}: addresses find wrong entries ${wrote(v, level.num)}${below.num === level.num ? '' : ` ${wrote(v, below.num)}`}`;
  }
  return undefined;
}
