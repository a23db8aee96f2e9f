/** What causes usually mean, what decides about them, and where to look next; keyed by exception name. */
import { CSR } from '../cpu/csr-table.ts';

/** What a cause usually means in a guest exit, and where to look. Keyed by exception name. */
export const EXIT_ADVICE: Readonly<Record<string, string>> = {
  FPD: 'The guest has enabled floating point and the host has not: R.EUEN.FPE is 0. A hypervisor that switches FP lazily loads it now.',
  SXD: 'The guest has enabled LSX and the host has not: R.EUEN.SXE is 0.',
  ASXD: 'The guest has enabled LASX and the host has not: R.EUEN.ASXE is 0.',
  INT: 'A host interrupt took the CPU; the guest did nothing wrong. Look at R.ESTAT.IS & R.ECFG.LIE.',
  PIL: 'Stage 2 has no valid mapping for this GPA. A device address is emulated by the hypervisor (MMIO); RAM means a mapping is missing in the stage-2 table.',
  PIS: 'Stage 2 has no valid mapping for this GPA. A device address is emulated by the hypervisor (MMIO); RAM means a mapping is missing in the stage-2 table.',
  PIF: 'The guest fetched from a GPA that stage 2 does not map. If PC looks like a vector, see which exception led there; if it is the entry point, the image was not mapped or loaded.',
  PME: 'The stage-2 page is clean (D=0): dirty logging or copy-on-write. The hypervisor must set D and invalidate the entry.',
  PNR: 'The stage-2 page forbids reads (NR).',
  PNX: 'The stage-2 page forbids execution (NX).',
  GSPR: 'A privileged or sensitive instruction: the hypervisor decodes BADI, emulates it and adds 4 to PC.',
  HVC: 'A hypercall: PC stays on the hvcl, the hypervisor adds 4. The code is BADI[14:0].',
  TLBR: 'A stage-2 TLB miss: the refill handler at R.TLBRENTRY fills an entry tagged with GTLBC.TGID and returns to the guest.',
};
export const FAULT_ADVICE: Readonly<Record<string, string>> = {
  INT: 'An interrupt: the world did nothing wrong. Look at ESTAT.IS & ECFG.LIE.',
  PNR: 'The page forbids reads (NR).',
  PNX: 'The page forbids execution (NX).',
  ALE: 'The address is not aligned and MISC.ALCL of this PLV, or the CPU, wants it to be; atomics always do.',
  BCE: 'A bound check of the program (asrtle, asrtgt, ldle …) failed.',
  FPD: 'EUEN.FPE is 0: the kernel enables floating point on first use, or forgot to restore EUEN.',
  SXD: 'EUEN.SXE is 0: the kernel enables LSX on first use, or forgot to restore EUEN.',
  ASXD: 'EUEN.ASXE is 0: the kernel enables LASX on first use, or forgot to restore EUEN.',
  FPE: 'A floating-point exception that FCSR enables.',
  SYS: 'A system call is delivered to EENTRY of the same world.',
  BRK: 'A `break` instruction of the program itself.',
  INE: 'The word is no instruction of this CPU: wrong PC, code not loaded, or a unit that CPUCFG does not have.',
  IPE: 'A privileged instruction at PLV > 0: check CRMD.PLV, and PRMD.PPLV before the last ertn.',
  ADEF: 'Fetch from an address that is misaligned, not canonical, or behind which there is no memory.',
  ADEM: 'Access to an address that is not canonical or behind which nothing answers.',
  TLBR: 'No TLB entry matches: TLBRENTRY (a physical address) must hold a refill handler.',
  PIL: 'The entry for this page has V=0.',
  PIS: 'The entry for this page has V=0.',
  PIF: 'The entry for this page has V=0.',
  PME: 'A store to a page with D=0.',
  PPI: 'The page belongs to a more privileged level than CRMD.PLV.',
};

/** CSRs that decide about a cause, beside what the translation shows. Keyed by exception name. */
const PAGING = [CSR.CRMD, CSR.ASID, CSR.PGDL, CSR.PGDH, CSR.PWCL] as const;
export const RELEVANT: Readonly<Record<string, readonly number[]>> = {
  INT: [CSR.CRMD, CSR.ECFG, CSR.ESTAT],
  FPD: [CSR.EUEN],
  SXD: [CSR.EUEN],
  ASXD: [CSR.EUEN],
  IPE: [CSR.CRMD, CSR.PRMD],
  ALE: [CSR.MISC],
  ADEF: [CSR.CRMD, CSR.DMW0, CSR.DMW0 + 1],
  ADEM: [CSR.CRMD, CSR.DMW0, CSR.DMW0 + 1],
  TLBR: PAGING,
  PIL: PAGING,
  PIS: PAGING,
  PIF: PAGING,
  PME: PAGING,
  PPI: [CSR.CRMD],
};
/** For an exit, the CSRs that describe it are those of the host. */
export const RELEVANT_TO_EXIT: Readonly<Record<string, readonly number[]>> = {
  INT: [CSR.CRMD, CSR.ECFG, CSR.ESTAT],
  FPD: [CSR.EUEN],
  SXD: [CSR.EUEN],
  ASXD: [CSR.EUEN],
  TLBR: [CSR.GSTAT, CSR.GTLBC, CSR.PGDL, CSR.TLBRENTRY],
  PIL: [CSR.GSTAT, CSR.PGDL],
  PIS: [CSR.GSTAT, CSR.PGDL],
  PIF: [CSR.GSTAT, CSR.PGDL],
  GSPR: [CSR.GCFG],
};
