/** The target description (target.xml), generated from the register list and the CSR table. */

import { CSRS, type CsrRow } from '../emu/cpu/csr-table.ts';
import { EXCEPTIONS } from '../emu/cpu/exception-table.ts';
import { type Feature, REGISTERS, type Register } from './registers.ts';

const FEATURES: readonly Feature[] = [
  'org.gnu.gdb.loongarch.base',
  'org.gnu.gdb.loongarch.fpu',
  'org.gnu.gdb.loongarch.lsx',
  'org.gnu.gdb.loongarch.lasx',
  'org.gnu.gdb.loongarch.lbt',
  'org.loongarch.csr',
  'org.loongarch.gcsr',
  'org.loongarch.system',
];

const ecodeEnum = (): string => {
  const seen = new Set<number>();
  const values = EXCEPTIONS.filter((e) => !seen.has(e.ecode) && seen.add(e.ecode)).map(
    (e) =>
      `<evalue name="${e.name === 'ADEF' ? 'ADE' : e.name === 'GCSC' ? 'GCM' : e.name === 'WPEF' ? 'WPE' : e.name}" value="${e.ecode}"/>`,
  );
  return `<enum id="ecode" size="4">${values.join('')}</enum>`;
};

/** Does gdb show the fields of this register? A register with one field prints as a number. */
const hasFlags = (row: CsrRow): boolean => !(row.fields.length === 1 && row.fields[0]!.width >= 32);

/** A `<flags>` type; single bits print by name, wider fields as `NAME=value`. */
function flagsType(row: CsrRow): string {
  const fields = row.fields.map((f) => {
    const type = f.name === 'Ecode' ? ' type="ecode"' : f.width > 1 ? ' type="uint64"' : '';
    return `<field name="${f.name}" start="${f.lo}" end="${f.lo + f.width - 1}"${type}/>`;
  });
  return `<flags id="csr_${row.name.toLowerCase()}" size="8">${fields.join('')}</flags>`;
}

const VECTORS = {
  lsx: [
    ['v4f32', 'ieee_single', 4],
    ['v2f64', 'ieee_double', 2],
    ['v16i8', 'int8', 16],
    ['v8i16', 'int16', 8],
    ['v4i32', 'int32', 4],
    ['v2i64', 'int64', 2],
  ],
  lasx: [
    ['v8f32', 'ieee_single', 8],
    ['v4f64', 'ieee_double', 4],
    ['v32i8', 'int8', 32],
    ['v16i16', 'int16', 16],
    ['v8i32', 'int32', 8],
    ['v4i64', 'int64', 4],
    ['v2ui128', 'uint128', 2],
  ],
} as const;

function vectorUnion(id: string, list: readonly (readonly [string, string, number])[], whole: string): string {
  const vectors = list.map(([name, type, count]) => `<vector id="${name}" type="${type}" count="${count}"/>`);
  const fields = list.map(([name]) => `<field name="${name}" type="${name}"/>`);
  return `${vectors.join('')}<union id="${id}">${fields.join('')}${whole}</union>`;
}

/** Types that must precede the registers of a feature. */
function types(feature: Feature): string {
  switch (feature) {
    case 'org.gnu.gdb.loongarch.fpu':
      return '<union id="fputype"><field name="f" type="ieee_single"/><field name="d" type="ieee_double"/></union>';
    case 'org.gnu.gdb.loongarch.lsx':
      return vectorUnion('lsxv', VECTORS.lsx, '<field name="uint128" type="uint128"/>');
    case 'org.gnu.gdb.loongarch.lasx':
      return vectorUnion('lasxv', VECTORS.lasx, '');
    case 'org.loongarch.csr':
    case 'org.loongarch.gcsr':
      return ecodeEnum() + CSRS.filter(hasFlags).map(flagsType).join('');
    case 'org.loongarch.system':
      return (
        '<struct id="estat_bits" size="8"><field name="IS" start="0" end="14"/><field name="Ecode" start="16" end="21"/>' +
        '<field name="EsubCode" start="22" end="30"/></struct>' +
        '<union id="estat_union"><field name="v" type="uint64"/><field name="b" type="estat_bits"/></union>'
      );
    default:
      return '';
  }
}

function register(r: Register): string {
  const type = r.csr && !hasFlags(r.csr) ? 'uint64' : r.type;
  const keep = r.feature.startsWith('org.loongarch') ? ' save-restore="no"' : '';
  const role = r.generic ? ` generic="${r.generic}"` : '';
  return `<reg name="${r.name}" bitsize="${r.bits}" type="${type}" group="${r.group}" regnum="${r.num}"${role}${keep}/>`;
}

/** The whole document, one flat file. */
export const TARGET_XML: string = [
  '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">',
  '<architecture>loongarch64</architecture>',
  ...FEATURES.map(
    (f) =>
      `<feature name="${f}">${types(f)}${REGISTERS.filter((r) => r.feature === f)
        .map(register)
        .join('')}</feature>`,
  ),
  '</target>',
].join('\n');
