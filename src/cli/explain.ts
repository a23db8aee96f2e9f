/** `loongscope explain`: numbers in words, or as JSON for programs. */
import { type CsrRow, csrByName, csrByNumber, type FieldAccess, fieldValue } from '../emu/cpu/csr-table.ts';
import { explainCode, parseNumber } from '../emu/debug/decode-number.ts';
import { hex } from '../emu/formats/hex.ts';
import { decode } from '../emu/isa/decoder.ts';
import { disassemble } from '../emu/isa/disassembler.ts';
import { EXIT, UsageError } from './errors.ts';

/** A CSR of an explanation. Numbers are hexadecimal text, because they may have 64 bits. */
interface CsrJson {
  readonly name: string;
  readonly number: string;
  /** Only with NAME=VALUE. */
  readonly value?: string;
  readonly fields: readonly {
    readonly name: string;
    readonly lowest: number;
    readonly bits: number;
    readonly access: FieldAccess;
    readonly value?: string;
  }[];
}

/** What one argument means. */
interface Explanation {
  readonly code: string;
  /** As without --json. */
  readonly lines: readonly string[];
  readonly csr?: CsrJson;
  readonly instruction?: { readonly word: string; readonly text: string };
}

const csrJson = (row: CsrRow, value: bigint | undefined): CsrJson => ({
  name: row.name,
  number: hex(row.num),
  ...(value !== undefined && { value: hex(value) }),
  fields: row.fields.map((field) => ({
    name: field.name,
    lowest: field.lo,
    bits: field.width,
    access: field.access,
    ...(value !== undefined && { value: hex(fieldValue(field, value)) }),
  })),
});

function explanation(code: string): Explanation {
  const lines = explainCode(code);
  const [key, text] = code.split('=', 2) as [string, string | undefined];
  const value = text === undefined ? undefined : parseNumber(text);
  const named = csrByName(key.toLowerCase());
  // A bare number may be of a CSR, and an instruction word as well.
  const bare = named === undefined && value === undefined ? parseNumber(code) : undefined;
  const row = named ?? (bare !== undefined && bare < 0x4000n ? csrByNumber(Number(bare)) : undefined);
  const word = /^(?:insn|badi)$/i.test(key) ? value : bare;
  const isWord = word !== undefined && word < 1n << 32n && decode(Number(word)) !== undefined;
  return {
    code,
    lines,
    ...(row && { csr: csrJson(row, value) }),
    ...(isWord && { instruction: { word: hex(word), text: disassemble(Number(word)) } }),
  };
}

/** Prints what numbers mean. @throws UsageError for what is none */
export function explain(codes: readonly string[], { json }: { readonly json?: boolean }): number {
  try {
    const text = json
      ? JSON.stringify(codes.map(explanation), undefined, 2)
      : codes.map((code) => explainCode(code).join('\n')).join('\n');
    process.stdout.write(`${text}\n`);
    return EXIT.ok;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
