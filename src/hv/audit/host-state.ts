/** Host registers before and after a guest runs: the caller of the entry function expects them unchanged. */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import { peekCsr } from '../../emu/cpu/csr-access.ts';
import { CRMD } from '../../emu/cpu/csr-fields.ts';
import { CSR, csrByNumber } from '../../emu/cpu/csr-table.ts';
import { ecodeOf } from '../../emu/cpu/exception-table.ts';
import { GPR_NAMES } from '../../emu/isa/operands.ts';
import { STATE } from '../../emu/memory/layout.ts';

/** Registers that a called function preserves (LoongArch psABI): tp, sp, r21, fp, s0–s8; f24–f31. */
const GPRS = [2, 3, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31];
const FPRS = [24, 25, 26, 27, 28, 29, 30, 31];
/** CSRs that the code of the hypervisor depends on. CSRs for causes, return addresses and scratch values are not among them. */
const CSRS = [
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
  CSR.GTLBC,
];
/** Table roots matter only for a host that uses paging. */
const ROOTS = [CSR.PGDL, CSR.PGDH];
/** All but WE. */
const CRMD_KEPT = ~BigInt(CRMD.WE);
const TLBR = ecodeOf('TLBR');

export interface HostState {
  readonly returnAddress: bigint;
  readonly values: ReadonlyMap<string, bigint>;
}

/** The state at the first instruction of the entry function. */
export function hostState(cpu: Cpu): HostState {
  const values = new Map<string, bigint>();
  for (const n of GPRS) values.set(`$${GPR_NAMES[n]}`, cpu.gpr(n));
  for (const n of FPRS) values.set(`$f${n}`, cpu.mem.u64[(cpu.base + STATE.fpr + n * 32) >> 3]!);
  const paged = (cpu.events.hostExceptions[TLBR] ?? 0) > 0 || [...cpu.htlb.entries()].some((e) => e.gid === 0);
  for (const num of paged ? [...CSRS, ...ROOTS] : CSRS) values.set(csrByNumber(num)!.name, peekCsr(cpu, false, num));
  values.set('CRMD', peekCsr(cpu, false, CSR.CRMD) & CRMD_KEPT);
  return { returnAddress: cpu.gpr(1), values };
}

/** The registers that have changed: names with both values. */
export function differences(before: HostState, cpu: Cpu): { name: string; before: bigint; after: bigint }[] {
  const now = hostState(cpu).values;
  return [...before.values].flatMap(([name, value]) => {
    const after = now.get(name) ?? value;
    return after === value ? [] : [{ name, before: value, after }];
  });
}
