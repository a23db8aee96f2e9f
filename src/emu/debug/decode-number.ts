/** `loongscope explain`: the meaning of a number. */

import { wideMask } from '../cpu/csr-fields.ts';
import {
  CSR,
  CSRS,
  type CsrRow,
  csrByName,
  csrByNumber,
  type FieldAccess,
  fieldMask,
  fieldNamed,
  fieldValue,
} from '../cpu/csr-table.ts';
import { exceptionByCode } from '../cpu/exception-table.ts';
import { hex } from '../formats/hex.ts';
import { decode } from '../isa/decoder.ts';
import { disassemble } from '../isa/disassembler.ts';
import { isHuge } from '../mmu/page-walk.ts';
import { EXIT_ADVICE, FAULT_ADVICE } from './advice.ts';
import { describeElo } from './walk.ts';

/** All kinds of fields: bits outside them are reserved. */
const ANY_ACCESS: readonly FieldAccess[] = ['rw', 'hw', 'ro', 'w1', 'w1c'];
const ESTAT_FIELDS = fieldMask(csrByNumber(CSR.ESTAT)!, ANY_ACCESS);
const CAUSE = wideMask('ESTAT', 'Ecode') | wideMask('ESTAT', 'EsubCode');
/** The page address, and the bit for a valid page, in a TLBELO value or page-table entry. */
const PAGE = wideMask('TLBELO0', 'PPN');
const VALID = wideMask('TLBELO0', 'V');

/** Names of interrupt lines, by their bit of ESTAT.IS. */
export const INTERRUPT_LINES = [
  'SWI0',
  'SWI1',
  'HWI0',
  'HWI1',
  'HWI2',
  'HWI3',
  'HWI4',
  'HWI5',
  'HWI6',
  'HWI7',
  'PMI',
  'TI',
  'IPI',
];

/** Fields of a register value, one text a field; ESTAT's cause in words. */
export function describeCsr(row: CsrRow, value: bigint): string[] {
  const whole = row.fields.length === 1 && row.fields[0]!.width >= 32;
  const lines = [`${row.name} (CSR ${hex(row.num)}, ${row.text}) = ${hex(value)}`];
  if (!whole)
    for (const f of row.fields) {
      const bits = f.width === 1 ? `${f.lo}` : `${f.lo + f.width - 1}:${f.lo}`;
      lines.push(`  ${f.name.padEnd(10)} [${bits}] = ${hex(fieldValue(f, value))}`);
    }
  const known = fieldMask(row, ANY_ACCESS);
  if (value & ~known) lines.push(`  bits ${hex(value & ~known)} are reserved: hardware ignores them`);
  if (row.name === 'ESTAT') lines.push(`  ${describeCause(value)}`, ...adviceOn(value));
  if (row.name.startsWith('TLBELO') || row.name.startsWith('TLBRELO'))
    lines.push(`  ${describeElo(value)}, page ${hex(value & PAGE)}`);
  return lines;
}

/** Fields that are not 0, in one line: single bits by name, others as `NAME=value`; empty for a register that is one value. */
export function fieldsInWords(row: CsrRow, value: bigint): string {
  if (row.fields.length === 1 && row.fields[0]!.width >= 32) return '';
  const set = row.fields.filter((f) => fieldValue(f, value) !== 0n);
  return set.map((f) => (f.width === 1 ? f.name : `${f.name}=${hex(fieldValue(f, value))}`)).join(' ');
}

/** What the cause in an ESTAT value usually means: as an exception inside a world, and as a VM exit. */
function adviceOn(estat: bigint): string[] {
  const name = exceptionByCode(fieldNamed('ESTAT', 'Ecode', estat), fieldNamed('ESTAT', 'EsubCode', estat))?.name ?? '';
  const [own, exit] = [FAULT_ADVICE[name], EXIT_ADVICE[name]];
  return [...(own ? [`  as an exception: ${own}`] : []), ...(exit ? [`  as a VM exit: ${exit}`] : [])];
}

/** The cause in an ESTAT value: exception, and pending interrupts. */
export function describeCause(estat: bigint): string {
  const row = exceptionByCode(fieldNamed('ESTAT', 'Ecode', estat), fieldNamed('ESTAT', 'EsubCode', estat));
  const pending = INTERRUPT_LINES.filter((_, n) => (estat >> BigInt(n)) & 1n);
  const interrupts = pending.length ? `pending: ${pending.join(' ')}` : 'no interrupt pending';
  return `cause: ${row ? `${row.name}, ${row.text}` : 'reserved Ecode'}; ${interrupts}`;
}

/** @throws Error when the text is no number */
export function parseNumber(text: string): bigint {
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) throw new Error(`'${text}' is not a number: write 0x… or decimal`);
  const v = BigInt(text);
  if (v >= 1n << 64n) throw new Error(`'${text}' does not fit 64 bits`);
  return v;
}

/**
 * Explains one argument: `csr NAME[=value]`, `NAME=value`, `estat=…`, `insn=…`, `pte=…`, or a bare number, which is
 * shown in each reading that makes sense.
 * @throws Error that names what is wrong with the text
 */
export function explainCode(text: string): string[] {
  const [key, valueText] = text.split('=', 2) as [string, string | undefined];
  const lower = key.toLowerCase();
  if (valueText !== undefined) {
    const value = parseNumber(valueText);
    if (lower === 'insn' || lower === 'badi') return explainWord(value);
    if (lower === 'pte' || lower === 'tlb') return explainEntry(value);
    const row = csrByName(lower);
    if (row) return describeCsr(row, value);
    throw new Error(`'${key}' is no CSR: use a CSR name, insn=, pte= or tlb=`);
  }
  const row = csrByName(lower);
  if (row) return describeRegister(row);
  const value = parseNumber(text);
  const out: string[] = [];
  const asCsr = value < 0x4000n ? csrByNumber(Number(value)) : undefined;
  if (asCsr) out.push(...describeRegister(asCsr));
  if (
    (value & CAUSE) !== 0n &&
    (value & ~ESTAT_FIELDS) === 0n &&
    exceptionByCode(fieldNamed('ESTAT', 'Ecode', value), 0)
  )
    out.push(`as ESTAT: ${describeCause(value)}`);
  if (value < 1n << 32n && decode(Number(value))) out.push(...explainWord(value));
  if ((value & VALID) !== 0n && (value & PAGE) !== 0n) out.push(...explainEntry(value));
  return out.length ? out : [`${hex(value)} is no CSR number, ESTAT value, instruction word or page-table entry`];
}

function describeRegister(row: CsrRow): string[] {
  const lines = [
    `CSR ${hex(row.num)} ${row.name}: ${row.text}; reset ${hex(row.reset)}; in a guest: ${row.guest === 'own' ? 'own copy' : 'exits with GSPR'}`,
  ];
  for (const f of row.fields) {
    const bits = f.width === 1 ? `${f.lo}` : `${f.lo + f.width - 1}:${f.lo}`;
    lines.push(
      `  ${f.name.padEnd(10)} [${bits}] ${{ rw: 'read/write', hw: 'set by hardware', ro: 'constant', w1: 'write 1 to act', w1c: 'write 1 to clear' }[f.access]}`,
    );
  }
  return lines;
}

function explainWord(value: bigint): string[] {
  if (value >= 1n << 32n) return [`${hex(value)} is longer than an instruction word`];
  const row = decode(Number(value));
  if (!row) return [`instruction word ${hex(value)}: no instruction (raises INE)`];
  const notes = [row.priv ? 'privileged (PLV0)' : 'any PLV'];
  notes.push(
    row.guest === 'native'
      ? 'runs natively in a guest'
      : row.guest === 'GSPR'
        ? 'exits with GSPR in a guest'
        : 'raises INE in a guest',
  );
  return [
    `instruction word ${hex(value)}: ${disassemble(Number(value))}`,
    `  encoding ${row.pattern}; ${notes.join('; ')}`,
  ];
}

function explainEntry(value: bigint): string[] {
  return [
    `as a page-table or TLB entry: page ${hex(value & PAGE)}, ${describeElo(value)}${isHuge(Number(BigInt.asIntN(32, value))) ? ' (bit 6 in a directory entry: huge page)' : ''}`,
  ];
}

/** Names of all CSRs, for messages. */
export const csrNames = (): string[] => CSRS.map((c) => c.name);
