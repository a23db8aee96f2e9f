/**
 * The fields of CSRs as constants, derived from the table: `CRMD.PG` is the mask of the field in bits 31:0 of the register,
 * for TypeScript and for emitted code alike.
 */
import { CSR, type CsrField, type CsrName, csrByNumber, type FieldName } from './csr-table.ts';

/** Masks by field name, as signed 32-bit numbers. A field that begins above bit 31 has mask 0. */
export type Masks<N extends CsrName> = Readonly<Record<FieldName<N>, number>>;

const maskOf = ({ lo, width }: CsrField): bigint => ((1n << BigInt(width)) - 1n) << BigInt(lo);

function masks<N extends CsrName>(name: N): Masks<N> {
  const fields = csrByNumber(CSR[name])!.fields.map((f) => [f.name, Number(BigInt.asIntN(32, maskOf(f)))] as const);
  return Object.fromEntries(fields) as Masks<N>;
}

export const CRMD = masks('CRMD');
export const PRMD = masks('PRMD');
export const EUEN = masks('EUEN');
export const MISC = masks('MISC');
export const ECFG = masks('ECFG');
export const ESTAT = masks('ESTAT');
export const ASID = masks('ASID');
export const CPUID = masks('CPUID');
export const TCFG = masks('TCFG');
export const TICLR = masks('TICLR');
export const GTLBC = masks('GTLBC');
export const GSTAT = masks('GSTAT');
export const GCFG = masks('GCFG');
export const GINTC = masks('GINTC');
export const LLBCTL = masks('LLBCTL');
export const TLBEHI = masks('TLBEHI');
export const TLBREHI = masks('TLBREHI');
export const TLBRERA = masks('TLBRERA');
export const TLBRPRMD = masks('TLBRPRMD');
export const MERRCTL = masks('MERRCTL');
export const DMW = masks('DMW0');
export const MWPS = masks('MWPS');

/** The mask of a field in all 64 bits of the register. */
export const wideMask = <N extends CsrName>(name: N, field: FieldName<N>): bigint =>
  maskOf(csrByNumber(CSR[name])!.fields.find((f) => f.name === field)!);

/** Lowest bit of the field with this mask. */
export const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask);

/** The value of the field with this mask. */
export const fieldOf = (value: number, mask: number): number => (value & mask) >>> lowestBit(mask);

/** `value` at the place of the field with this mask. */
export const inField = (value: number, mask: number): number => (value << lowestBit(mask)) & mask;
