/** Host registers before and after a guest runs: the caller of the entry function expects them unchanged. */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import { CRMD } from '../../emu/cpu/csr-fields.ts';
import { CSR, csrByNumber } from '../../emu/cpu/csr-table.ts';
import { ecodeOf } from '../../emu/cpu/exception-table.ts';
import { GPR_NAMES } from '../../emu/isa/operands.ts';
import { STATE } from '../../emu/memory/layout.ts';
import { TLB_SIZE } from '../../emu/tlb/tlb.ts';

/** Registers that a called function preserves (LoongArch psABI): tp, sp, r21, fp, s0–s8; f24–f31. */
const GPRS = [2, 3, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31];
const FPRS = [24, 25, 26, 27, 28, 29, 30, 31];
/** CSRs that the code of the hypervisor depends on. CSRs for causes, return addresses and scratch values are not among them. */
const CSRS = [
  CSR.CRMD,
  CSR.EUEN,
  CSR.MISC,
  CSR.ECFG,
  CSR.EENTRY,
  CSR.ASID,
  CSR.PWCL,
  CSR.PWCH,
  CSR.STLBPS,
  CSR.TLBRENTRY,
  CSR.DMW0,
  CSR.DMW0 + 1,
  CSR.DMW0 + 2,
  CSR.DMW0 + 3,
];
/** Table roots matter only for a host that uses paging. */
const ROOTS: readonly number[] = [CSR.PGDL, CSR.PGDH];

/** A register: its name, its place in the CPU's state page, and the bits that are compared. */
interface Register {
  readonly name: string;
  readonly offset: number;
  readonly kept: bigint;
  readonly root: boolean;
}

const TLBR = ecodeOf('TLBR');
const ALL = 2n ** 64n - 1n;
const csr = (num: number): Register => ({
  name: csrByNumber(num)!.name,
  offset: STATE.hostCsr + 8 * num,
  // CRMD.WE follows the watchpoints.
  kept: num === CSR.CRMD ? ALL & ~BigInt(CRMD.WE) : ALL,
  root: ROOTS.includes(num),
});
const REGISTERS: readonly Register[] = [
  ...GPRS.map((n) => ({ name: `$${GPR_NAMES[n]}`, offset: STATE.gpr + 8 * n, kept: ALL, root: false })),
  ...FPRS.map((n) => ({ name: `$f${n}`, offset: STATE.fpr + 32 * n, kept: ALL, root: false })),
  ...[...CSRS, ...ROOTS].map(csr),
];

/** Values of {@link REGISTERS}. One for each CPU is enough: entry functions are not called within each other. */
export class HostState {
  /** The return address of the call. */
  returnAddress = 0n;
  private readonly values = new BigUint64Array(REGISTERS.length);

  /** Keeps the state at the first instruction of the entry function. */
  take(cpu: Cpu): void {
    const { u64 } = cpu.mem;
    this.returnAddress = cpu.gpr(1);
    REGISTERS.forEach(({ offset }, n) => {
      this.values[n] = u64[(cpu.base + offset) >> 3]!;
    });
  }

  /** The registers that have changed since. */
  differences(cpu: Cpu): { readonly name: string; readonly before: bigint; readonly after: bigint }[] {
    const { u64 } = cpu.mem;
    const changed = REGISTERS.flatMap(({ name, offset, kept, root }, n) => {
      const [before, after] = [this.values[n]! & kept, u64[(cpu.base + offset) >> 3]! & kept];
      return before === after ? [] : [{ name, before, after, root }];
    });
    return changed.some((d) => d.root) && !isPaged(cpu) ? changed.filter((d) => !d.root) : changed;
  }
}

/** Does the host use page tables? Then it has had refills, or its TLB has entries of its own. */
function isPaged({ htlb, events }: Cpu): boolean {
  if (events.hostExceptions[TLBR]) return true;
  for (let i = 0; i < TLB_SIZE; i++) if (htlb.e[i] && htlb.gid[i] === 0) return true;
  return false;
}
