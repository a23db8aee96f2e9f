/** The memory access type of an address (Vol. 1, 2.1.7): what the architecture says of the order of accesses. */
import { addressHigh } from '../cpu/address-mode.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { CRMD, DMW, fieldOf, TLBELO } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { TranslationStage } from '../cpu/translation-stage.ts';
import { STORE, type StageReport, stage1, stage2 } from './stages.ts';

/** The value of MAT for strongly ordered accesses. */
const STRONG = 0;

/**
 * Are stores of the running world to an address strongly ordered: by the one stage of translation or by the other? Nothing changes.
 * @param high the high half of the address, as software made it
 */
export function isStronglyOrdered(cpu: Cpu, vaLo: number, high: number): boolean {
  let strong = false;
  const reportOf = ({ csr }: TranslationStage): StageReport => {
    const found = (type: number): void => {
      if (type === STRONG) strong = true;
    };
    return {
      direct: () => found(fieldOf(csr.lo(CSR.CRMD), CRMD.DATM)),
      window: (n) => found(fieldOf(csr.lo(CSR.DMW0 + n), DMW.MAT)),
      notCanonical: () => {},
      miss: () => {},
      entry: (tlb, i, odd) => found(fieldOf(tlb.eloLo[2 * i + odd]!, TLBELO.MAT)),
    };
  };
  const first = cpu.vm ? cpu.guestStage : cpu.hostStage;
  const pa = stage1(first, vaLo, addressHigh(cpu.csr, high), STORE, reportOf(first));
  if (cpu.vm && typeof pa === 'number') stage2(cpu.guestStage2, pa, STORE, reportOf(cpu.guestStage2));
  return strong;
}
