/**
 * Every CSR, declared once: number, name, fields, reset value, availability in the guest bank, side effect.
 * The access checks, the gdb target description, `explain` and docs/csr.md derive from this table.
 * Sources: LoongArch Reference Manual Vol. 1, chapter 7; docs/lvz.md for the LVZ registers and the guest column.
 */

import { CSR_RULE } from '../memory/layout.ts';
import { PAGE_SIZES } from '../tlb/tlb.ts';
import type { CpuFeatures, FeatureName } from './features.ts';

/** Who may change a field. */
export type FieldAccess =
  /** Software, always. */
  | 'rw'
  /** Hardware only; a root gcsr write may still restore it in the guest bank. */
  | 'hw'
  /** A constant. */
  | 'ro'
  /** Writing 1 acts; reads 0. */
  | 'w1'
  /** Set by hardware; writing 1 clears. */
  | 'w1c';

export interface CsrField {
  readonly name: string;
  readonly lo: number;
  readonly width: number;
  readonly access: FieldAccess;
  /** On CPUs without this feature the field reads 0. */
  readonly feature?: FeatureName;
}

/** The side effect of a write. It is named here and implemented in csr-access.ts. */
export type CsrEffect =
  | 'mode'
  | 'translation'
  | 'interrupt'
  | 'timer'
  | 'timerValue'
  | 'timerClear'
  | 'llbctl'
  | 'gstat'
  | 'gcfg'
  | 'gintc'
  | 'watch'
  | 'pgd';

/** The register in a guest: its own copy, a GSPR exit, or absent (reads 0). */
export type GuestBank = 'own' | 'GSPR';

export interface CsrRow {
  readonly num: number;
  /** Manual's name; `gdb` uses it in lower case. */
  readonly name: string;
  readonly text: string;
  readonly fields: readonly CsrField[];
  readonly reset: bigint;
  readonly guest: GuestBank;
  readonly effect: CsrEffect | undefined;
  /** The bits above this one always read as copies of it. Undefined: bits outside the fields read 0. */
  readonly signBit: SignBit | undefined;
}

/** Registers of 32 bits read sign-extended (Vol. 1, 7.2.2); entry-high registers extend the page number from VALEN−1. */
type SignBit = 31 | 47;

type FieldSpec = readonly [name: string, lo: number, width: number, access?: FieldAccess, feature?: FeatureName];

interface Options {
  readonly reset?: bigint;
  readonly guest?: GuestBank;
  readonly effect?: CsrEffect;
  readonly signBit?: SignBit;
}

/** A row whose type contains its name and the names of its fields: csr-fields.ts makes constants from them. */
interface NamedRow<N extends string, F extends readonly FieldSpec[]> extends CsrRow {
  readonly name: N;
  readonly specs: F;
}

function csr<const N extends string, const F extends readonly FieldSpec[]>(
  num: number,
  name: N,
  text: string,
  fields: F,
  options: Options = {},
): NamedRow<N, F> {
  return {
    num,
    name,
    text,
    specs: fields,
    fields: fields.map(([n, lo, width, access, feature]) => ({
      name: n,
      lo,
      width,
      access: access ?? 'rw',
      ...(feature && { feature }),
    })),
    reset: options.reset ?? 0n,
    guest: options.guest ?? 'own',
    effect: options.effect,
    signBit: options.signBit,
  };
}

const WHOLE = [['Value', 0, 64]] as const;
// biome-ignore format: field table
const TLBELO = [
  ['V', 0, 1], ['D', 1, 1], ['PLV', 2, 2], ['MAT', 4, 2], ['G', 6, 1], ['PPN', 12, 36], ['NR', 61, 1], ['NX', 62, 1],
  ['RPLV', 63, 1],
] as const;
const GSPR = { guest: 'GSPR' } as const;
/** A register of 32 bits with a field at bit 31; an entry-high register. */
const WORD = { signBit: 31 } as const;
const ENTRY_HIGH = { signBit: 47 } as const;

const DMW = [
  ['PLV0', 0, 1],
  ['PLV1', 1, 1],
  ['PLV2', 2, 1],
  ['PLV3', 3, 1],
  ['MAT', 4, 2],
  ['VSEG', 60, 4],
] as const;

/** Watchpoints of each kind, fetch and load/store. */
export const WATCHPOINTS = 8;
const WATCH = { guest: 'GSPR', effect: 'watch' } as const;
const WATCH_STATUS = [
  ['Status', 0, WATCHPOINTS, 'w1c'],
  ['Skip', 16, 1],
] as const;
/** The four registers of every watchpoint of a kind. */
const watchRegisters = <const K extends string, const F extends readonly FieldSpec[]>(
  kind: K,
  first: number,
  text: string,
  more: F,
) =>
  Array.from({ length: WATCHPOINTS }, (_, n) => [
    csr(first + 8 * n, `${kind}${n}CFG1`, `${text} watchpoint ${n}: address`, [['VAddr', 0, 64]], WATCH),
    csr(
      first + 8 * n + 1,
      `${kind}${n}CFG2`,
      `${text} watchpoint ${n}: address bits left out`,
      [['Mask', 0, 64]],
      WATCH,
    ),
    csr(
      first + 8 * n + 2,
      `${kind}${n}CFG3`,
      `${text} watchpoint ${n}: control`,
      [['DMOnly', 0, 1, 'ro'], ['PLV0', 1, 1], ['PLV1', 2, 1], ['PLV2', 3, 1], ['PLV3', 4, 1], ['LCL', 7, 1], ...more],
      WATCH,
    ),
    csr(first + 8 * n + 3, `${kind}${n}CFG4`, `${text} watchpoint ${n}: address space`, [['ASID', 0, 10]], WATCH),
  ]).flat();

// biome-ignore format: register table
const ROWS = [
  csr(0x0, 'CRMD', 'current mode', [
    ['PLV', 0, 2], ['IE', 2, 1], ['DA', 3, 1], ['PG', 4, 1], ['DATF', 5, 2], ['DATM', 7, 2], ['WE', 9, 1],
  ], { reset: 8n, effect: 'mode' }),
  csr(0x1, 'PRMD', 'mode before the exception', [['PPLV', 0, 2], ['PIE', 2, 1], ['PWE', 3, 1]]),
  csr(0x2, 'EUEN', 'extended units enable', [
    ['FPE', 0, 1, 'rw', 'fpu'], ['SXE', 1, 1, 'rw', 'lsx'], ['ASXE', 2, 1, 'rw', 'lasx'], ['BTE', 3, 1, 'rw', 'lbt'],
  ], { effect: 'mode' }),
  csr(0x3, 'MISC', 'miscellaneous control', [
    ['VA32L1', 1, 1], ['VA32L2', 2, 1], ['VA32L3', 3, 1],
    ['DRDTL1', 5, 1], ['DRDTL2', 6, 1], ['DRDTL3', 7, 1], ['RPCNTL1', 9, 1], ['RPCNTL2', 10, 1], ['RPCNTL3', 11, 1],
    // Without the feature they are constants, 1 (cpu.ts).
    ['ALCL0', 12, 1, 'rw', 'ual'], ['ALCL1', 13, 1, 'rw', 'ual'], ['ALCL2', 14, 1, 'rw', 'ual'], ['ALCL3', 15, 1, 'rw', 'ual'],
    ['DWPL0', 16, 1], ['DWPL1', 17, 1], ['DWPL2', 18, 1],
  ], { effect: 'translation' }),
  csr(0x4, 'ECFG', 'exception configuration', [['LIE', 0, 13], ['VS', 16, 3]], { effect: 'interrupt' }),
  csr(0x5, 'ESTAT', 'exception status', [
    ['SWI', 0, 2], ['HWI', 2, 8, 'hw'], ['PMI', 10, 1, 'hw'], ['TI', 11, 1, 'hw'], ['IPI', 12, 1, 'hw'],
    ['Ecode', 16, 6, 'hw'], ['EsubCode', 22, 9, 'hw'],
  ], { effect: 'interrupt' }),
  csr(0x6, 'ERA', 'exception return address', WHOLE),
  csr(0x7, 'BADV', 'bad virtual address', WHOLE),
  csr(0x8, 'BADI', 'bad instruction', [['Inst', 0, 32, 'hw']], WORD),
  csr(0xc, 'EENTRY', 'exception entry address', [['VPN', 12, 52]]),
  csr(0x10, 'TLBIDX', 'TLB index', [['Index', 0, 12], ['PS', 24, 6], ['NE', 31, 1]], WORD),
  csr(0x11, 'TLBEHI', 'TLB entry high', [['VPPN', 13, 35]], ENTRY_HIGH),
  csr(0x12, 'TLBELO0', 'TLB entry low, even page', TLBELO),
  csr(0x13, 'TLBELO1', 'TLB entry low, odd page', TLBELO),
  // docs/lvz.md Q15: GMTLBSZ is stored; Q26: there is no USEVMID.
  csr(0x15, 'GTLBC', 'guest TLB control', [['GMTLBSZ', 0, 6], ['USETGID', 12, 1], ['TOTI', 13, 1], ['TGID', 16, 8]], { ...GSPR, reset: 0x3fn }),
  csr(0x16, 'TRGP', 'TLB read, guest part', [['GTLB', 0, 1], ['RID', 16, 8]], GSPR),
  csr(0x18, 'ASID', 'address space identifier', [['ASID', 0, 10], ['ASIDBITS', 16, 8, 'ro']], { reset: 0xa0000n, effect: 'translation' }),
  csr(0x19, 'PGDL', 'page directory, lower half', [['Base', 12, 52]]),
  csr(0x1a, 'PGDH', 'page directory, higher half', [['Base', 12, 52]]),
  csr(0x1b, 'PGD', 'page directory for the bad address', [['Base', 12, 52, 'ro']], { effect: 'pgd' }),
  csr(0x1c, 'PWCL', 'page walk control, lower', [
    ['PTbase', 0, 5], ['PTwidth', 5, 5], ['Dir1_base', 10, 5], ['Dir1_width', 15, 5], ['Dir2_base', 20, 5], ['Dir2_width', 25, 5],
    ['PTEWidth', 30, 2],
  ], { ...WORD, reset: 0xcn }),
  csr(0x1d, 'PWCH', 'page walk control, higher', [
    ['Dir3_base', 0, 6], ['Dir3_width', 6, 6], ['Dir4_base', 12, 6], ['Dir4_width', 18, 6], ['HPTW_En', 24, 1, 'rw', 'ptw'],
  ]),
  csr(0x1e, 'STLBPS', 'STLB page size', [['PS', 0, 6]], { reset: 0xcn, effect: 'translation' }),
  csr(0x1f, 'RVACFG', 'reduced virtual address configuration', [['RBits', 0, 4]], { effect: 'translation' }),
  csr(0x20, 'CPUID', 'processor number', [['CoreID', 0, 9, 'hw']]),
  csr(0x21, 'PRCFG1', 'privileged resources 1', [['SAVENum', 0, 4, 'ro'], ['TimerBits', 4, 8, 'ro'], ['VSMax', 12, 3, 'ro']], { reset: 0x72f8n }),
  csr(0x22, 'PRCFG2', 'privileged resources 2: page sizes', [['PSAVL', 0, 64, 'ro']], { reset: BigInt(PAGE_SIZES) }),
  csr(0x23, 'PRCFG3', 'privileged resources 3: TLB', [
    ['TLBType', 0, 4, 'ro'], ['MTLBEntries', 4, 8, 'ro'], ['STLBWays', 12, 8, 'ro'], ['STLBSets', 20, 6, 'ro'],
  ], { reset: 0x8073f2n }),
  ...Array.from({ length: 8 }, (_, i) => csr(0x30 + i, `SAVE${i}`, `scratch ${i}`, WHOLE)),
  csr(0x40, 'TID', 'timer identity', [['TID', 0, 32]], WORD),
  csr(0x41, 'TCFG', 'timer configuration', [['En', 0, 1], ['Periodic', 1, 1], ['InitVal', 2, 46]], { effect: 'timer' }),
  csr(0x42, 'TVAL', 'timer value', [['TimeVal', 0, 48, 'hw']], { effect: 'timerValue' }),
  csr(0x43, 'CNTC', 'counter compensation', WHOLE),
  csr(0x44, 'TICLR', 'timer interrupt clear', [['CLR', 0, 1, 'w1']], { effect: 'timerClear' }),
  // docs/lvz.md Q19: VM reads 0 in the host.
  csr(0x50, 'GSTAT', 'guest status', [['VM', 0, 1, 'ro'], ['PGM', 1, 1], ['GIDBIT', 4, 6, 'ro'], ['GID', 16, 8]], { ...GSPR, reset: 0x80n, effect: 'gstat' }),
  csr(0x51, 'GCFG', 'guest configuration', [
    ['MATP', 0, 4, 'ro'], ['MATC', 4, 2], ['SITP', 6, 1, 'ro'], ['SIT', 7, 1, 'ro'], ['TITP', 8, 1, 'ro'], ['TIT', 9, 1],
    ['TOEP', 10, 1, 'ro'], ['TOE', 11, 1, 'ro'], ['TOPP', 12, 1, 'ro'], ['TOP', 13, 1, 'ro'], ['TORUP', 14, 1, 'ro'],
    ['TORU', 15, 1, 'ro'], ['GCIP', 16, 4, 'ro'], ['GCI', 20, 2], ['GPMP', 23, 1, 'ro'], ['GPERF', 24, 3, 'ro'],
  ], { ...GSPR, reset: 0x70103n, effect: 'gcfg' }),
  csr(0x52, 'GINTC', 'guest interrupt control', [['HWIS', 0, 8], ['HWIP', 8, 8], ['HWIC', 16, 8]], { ...GSPR, effect: 'gintc' }),
  csr(0x53, 'GCNTC', 'guest counter compensation', WHOLE, GSPR),
  csr(0x60, 'LLBCTL', 'LL bit control', [['ROLLB', 0, 1, 'hw'], ['WCLLB', 1, 1, 'w1'], ['KLO', 2, 1]], { effect: 'llbctl' }),
  csr(0x80, 'IMPCTL1', 'implementation control 1', WHOLE, GSPR),
  csr(0x81, 'IMPCTL2', 'implementation control 2', WHOLE, GSPR),
  csr(0x88, 'TLBRENTRY', 'TLB refill entry address', [['PPN', 12, 36]]),
  csr(0x89, 'TLBRBADV', 'TLB refill bad address', WHOLE),
  csr(0x8a, 'TLBRERA', 'TLB refill return address', [['IsTLBR', 0, 1], ['PC', 2, 62]]),
  csr(0x8b, 'TLBRSAVE', 'TLB refill scratch', WHOLE),
  csr(0x8c, 'TLBRELO0', 'TLB refill entry low, even page', TLBELO),
  csr(0x8d, 'TLBRELO1', 'TLB refill entry low, odd page', TLBELO),
  csr(0x8e, 'TLBREHI', 'TLB refill entry high', [['PS', 0, 6], ['VPPN', 13, 35]], ENTRY_HIGH),
  csr(0x8f, 'TLBRPRMD', 'mode before the TLB refill', [['PPLV', 0, 2], ['PIE', 2, 1], ['PGM', 3, 1, 'rw', 'lvz'], ['PWE', 4, 1]]),
  csr(0x90, 'MERRCTL', 'machine error control', [
    ['IsMERR', 0, 1, 'hw'], ['Repairable', 1, 1], ['PPLV', 2, 2], ['PIE', 4, 1, 'hw'], ['PGM', 5, 1, 'rw', 'lvz'], ['PWE', 6, 1],
    ['PDA', 7, 1], ['PPG', 8, 1], ['PDATF', 9, 2], ['PDATM', 11, 2], ['Cause', 16, 8, 'hw'],
  ], GSPR),
  csr(0x91, 'MERRINFO1', 'machine error information 1', WHOLE, GSPR),
  csr(0x92, 'MERRINFO2', 'machine error information 2', WHOLE, GSPR),
  csr(0x93, 'MERRENTRY', 'machine error entry address', [['PPN', 12, 36]], GSPR),
  csr(0x94, 'MERRERA', 'machine error return address', WHOLE, GSPR),
  csr(0x95, 'MERRSAVE', 'machine error scratch', WHOLE, GSPR),
  csr(0x98, 'CTAG', 'cache tag', WHOLE, GSPR),
  csr(0x180, 'DMW0', 'direct mapping window 0', DMW, { effect: 'translation' }),
  csr(0x181, 'DMW1', 'direct mapping window 1', DMW, { effect: 'translation' }),
  csr(0x182, 'DMW2', 'direct mapping window 2', DMW, { effect: 'translation' }),
  csr(0x183, 'DMW3', 'direct mapping window 3', DMW, { effect: 'translation' }),
  csr(0x300, 'MWPC', 'load/store watchpoints: how many', [['Num', 0, 6, 'ro']], { ...GSPR, reset: BigInt(WATCHPOINTS) }),
  csr(0x301, 'MWPS', 'load/store watchpoints: status', WATCH_STATUS, WATCH),
  ...watchRegisters('MWP', 0x310, 'load/store', [['LoadEn', 8, 1], ['StoreEn', 9, 1], ['Size', 10, 2]]),
  csr(0x380, 'FWPC', 'fetch watchpoints: how many', [['Num', 0, 6, 'ro']], { ...GSPR, reset: BigInt(WATCHPOINTS) }),
  csr(0x381, 'FWPS', 'fetch watchpoints: status', WATCH_STATUS, WATCH),
  ...watchRegisters('FWP', 0x390, 'fetch', []),
  csr(0x500, 'DBG', 'debug mode', [
    ['DST', 0, 1, 'ro'], ['DRev', 1, 7, 'ro'], ['DEI', 8, 1, 'ro'], ['DCL', 9, 1, 'ro'], ['DFW', 10, 1, 'ro'], ['DMW', 11, 1, 'ro'],
    ['Ecode', 16, 6, 'ro'],
  ], GSPR),
  csr(0x501, 'DERA', 'debug return address', WHOLE, GSPR),
  csr(0x502, 'DSAVE', 'debug scratch', WHOLE, GSPR),
];

export const CSRS: readonly CsrRow[] = ROWS;

/** CSR numbers by name, for code that works on a particular register. */
// biome-ignore format: one table
export const CSR = {
  CRMD: 0x0, PRMD: 0x1, EUEN: 0x2, MISC: 0x3, ECFG: 0x4, ESTAT: 0x5, ERA: 0x6, BADV: 0x7, BADI: 0x8, EENTRY: 0xc,
  TLBIDX: 0x10, TLBEHI: 0x11, TLBELO0: 0x12, TLBELO1: 0x13, GTLBC: 0x15, TRGP: 0x16, ASID: 0x18, PGDL: 0x19, PGDH: 0x1a,
  PGD: 0x1b, PWCL: 0x1c, PWCH: 0x1d, STLBPS: 0x1e, RVACFG: 0x1f, CPUID: 0x20, TID: 0x40, TCFG: 0x41, TVAL: 0x42, CNTC: 0x43,
  TICLR: 0x44, GSTAT: 0x50, GCFG: 0x51, GINTC: 0x52, GCNTC: 0x53, LLBCTL: 0x60, TLBRENTRY: 0x88, TLBRBADV: 0x89,
  TLBRERA: 0x8a, TLBRELO0: 0x8c, TLBRELO1: 0x8d, TLBREHI: 0x8e, TLBRPRMD: 0x8f, MERRCTL: 0x90, MERRERA: 0x94, DMW0: 0x180, DMW1: 0x181, DMW2: 0x182, DMW3: 0x183,
  MWPS: 0x301, MWP0CFG1: 0x310, MWP0CFG3: 0x312, MWP0CFG4: 0x313, FWPS: 0x381, FWP0CFG1: 0x390,
} as const;

export type CsrName = keyof typeof CSR;
/** The names of a register's fields. */
export type FieldName<N extends CsrName> = FieldsOf<(typeof ROWS)[number], N>;
/** The same among rows of type `R`, where one type can stand for many names (`MWP${number}CFG3`). */
type FieldsOf<R, N> = R extends NamedRow<infer M, infer F> ? (N extends M ? F[number][0] : never) : never;

const byNum = new Map(CSRS.map((c) => [c.num, c]));
const byName = new Map(CSRS.map((c) => [c.name.toLowerCase(), c]));

for (const [name, num] of Object.entries(CSR))
  if (byNum.get(num)?.name !== name) throw new Error(`CSR table: ${name} is not number 0x${num.toString(16)}`);

/** The row of a CSR number, or undefined for a number that the machine does not implement. */
export const csrByNumber = (num: number): CsrRow | undefined => byNum.get(num);
/** The row of a name in any case, with or without the guest prefix `g_`. */
export const csrByName = (name: string): CsrRow | undefined => byName.get(name.toLowerCase().replace(/^g_/, ''));

/** Bits of `row` whose field access is one of `accesses`; for a CPU with `features`; default: all features. */
export function fieldMask(row: CsrRow, accesses: readonly FieldAccess[], features?: CpuFeatures): bigint {
  let mask = 0n;
  for (const f of row.fields)
    if (accesses.includes(f.access) && (!f.feature || !features || features[f.feature]))
      mask |= ((1n << BigInt(f.width)) - 1n) << BigInt(f.lo);
  return mask;
}

/** The value of a field inside a register value. */
export const fieldValue = (f: CsrField, value: bigint): bigint =>
  (value >> BigInt(f.lo)) & ((1n << BigInt(f.width)) - 1n);

/** The value of a field by its names, for reports and checks. Code that runs often uses the masks of csr-fields.ts. */
export const fieldNamed = <N extends CsrName>(name: N, field: FieldName<N>, value: bigint): number =>
  Number(fieldValue(csrByNumber(CSR[name])!.fields.find((f) => f.name === field)!, value));

/** Numbers outside the table that exit with GSPR from a guest: message, implementation, PMU, watchpoint and debug ranges. */
export function isGsprRange(num: number): boolean {
  return (
    (num >= 0xc0 && num <= 0x109) ||
    (num >= 0x200 && num <= 0x23f) ||
    (num >= 0x300 && num <= 0x3ff) ||
    (num >= 0x500 && num <= 0x502)
  );
}

/** On a CPU without LVZ, LVZ registers behave like numbers that do not exist. */
export const isHidden = (features: CpuFeatures, num: number): boolean =>
  !features.lvz && (num === CSR.GTLBC || num === CSR.TRGP || (num >= CSR.GSTAT && num <= CSR.GCNTC));

/** Registers whose value is not only the stored value. */
const COMPUTED: ReadonlySet<number> = new Set([CSR.PGD, CSR.TVAL, CSR.TICLR, CSR.LLBCTL]);

/** {@link CSR_RULE} bits of a register: accesses that need only its memory. csr-access.ts does all others. */
export function plainAccess(num: number, features: CpuFeatures): number {
  const row = csrByNumber(num);
  if (!row || isHidden(features, num) || COMPUTED.has(num)) return 0;
  const stored = row.effect === undefined && row.signBit === undefined;
  // With GCFG.TIT, timer accesses of a guest exit. TLBRPRMD.PGM is not in the guest bank.
  const guestReads = row.guest === 'own' && !(num >= CSR.TID && num <= CSR.TICLR);
  const rootWrites = row.guest === 'own' && stored && num !== CSR.TLBRPRMD;
  return (
    CSR_RULE.hostRead |
    (guestReads ? CSR_RULE.guestRead : 0) |
    (stored ? CSR_RULE.hostWrite : 0) |
    (num === CSR.CRMD ? CSR_RULE.switchIe : 0) |
    (row.effect === 'translation' || row.effect === 'mode' ? CSR_RULE.unchanged : 0) |
    (row.guest === 'own' ? CSR_RULE.rootRead : 0) |
    (rootWrites ? CSR_RULE.rootWrite : 0)
  );
}
