/**
 * The fields of CSRs as constants, derived from the table: `CRMD.PG` is the mask of the field in bits 31:0 of the register,
 * for TypeScript and for emitted code alike. Code on the path of a TLB miss copies them to constants of its module, which V8
 * compiles to immediates.
 */
import { CSR, type CsrField, type CsrName, csrByNumber, type FieldName } from './csr-table.ts';

/** Masks by field name, as signed 32-bit numbers. A field that begins above bit 31 has mask 0. */
export type Masks<N extends CsrName> = Readonly<Record<FieldName<N>, number>>;

const maskOf = ({ lo, width }: CsrField): bigint => ((1n << BigInt(width)) - 1n) << BigInt(lo);

function byField<N extends CsrName>(name: N, f: (field: CsrField) => number): Masks<N> {
  return Object.fromEntries(csrByNumber(CSR[name])!.fields.map((field) => [field.name, f(field)])) as Masks<N>;
}

const masks = <N extends CsrName>(name: N): Masks<N> => byField(name, (f) => Number(BigInt.asIntN(32, maskOf(f))));

/** Masks in bits 63:32 of the register, likewise. */
const highMasks = <N extends CsrName>(name: N): Masks<N> =>
  byField(name, (f) => Number(BigInt.asIntN(32, maskOf(f) >> 32n)));

export const CRMD = masks('CRMD');
export const PRMD = masks('PRMD');
export const EUEN = masks('EUEN');
export const MISC = masks('MISC');
export const ECFG = masks('ECFG');
export const ESTAT = masks('ESTAT');
export const TLBIDX = masks('TLBIDX');
export const ASID = masks('ASID');
export const PWCL = masks('PWCL');
export const PWCH = masks('PWCH');
export const STLBPS = masks('STLBPS');
export const RVACFG = masks('RVACFG');
export const CPUID = masks('CPUID');
export const TCFG = masks('TCFG');
export const TICLR = masks('TICLR');
export const TRGP = masks('TRGP');
export const GTLBC = masks('GTLBC');
export const GSTAT = masks('GSTAT');
export const GCFG = masks('GCFG');
export const GINTC = masks('GINTC');
export const LLBCTL = masks('LLBCTL');
export const TLBEHI = masks('TLBEHI');
export const TLBEHI_HI = highMasks('TLBEHI');
/** TLBELO0, TLBELO1 and their copies for refills: also the layout of half a TLB entry. */
export const TLBELO = masks('TLBELO0');
export const TLBELO_HI = highMasks('TLBELO0');
export const TLBREHI = masks('TLBREHI');
export const TLBRERA = masks('TLBRERA');
export const TLBRPRMD = masks('TLBRPRMD');
export const MERRCTL = masks('MERRCTL');
export const DMW = masks('DMW0');
export const DMW_HI = highMasks('DMW0');
/** The control register of a watchpoint. Those of fetch watchpoints have only the fields up to LCL. */
export const MWPCFG3 = masks('MWP0CFG3');
/** The address space of a watchpoint of either kind. */
export const MWPCFG4 = masks('MWP0CFG4');
export const MWPS = masks('MWPS');

/** The mask of a field in all 64 bits of the register. */
export const wideMask = <N extends CsrName>(name: N, field: FieldName<N>): bigint =>
  maskOf(csrByNumber(CSR[name])!.fields.find((f) => f.name === field)!);

/** The bits of all fields of a register, from its masks. */
export const allOf = (fields: Readonly<Record<string, number>>): number =>
  Object.values(fields).reduce((all, mask) => all | mask, 0);

/** Lowest bit of the field with this mask. */
export const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask);

/** The value of the field with this mask. */
export const fieldOf = (value: number, mask: number): number => (value & mask) >>> lowestBit(mask);

/** `value` at the place of the field with this mask. */
export const inField = (value: number, mask: number): number => (value << lowestBit(mask)) & mask;
