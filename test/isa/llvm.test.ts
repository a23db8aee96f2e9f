/** Every row against llvm-mc and llvm-objdump 19, both ways, with thousands of random operand values. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decode } from '../../src/emu/isa/decoder.ts';
import { disassemble } from '../../src/emu/isa/disassembler.ts';
import { OPERANDS, type OperandKind, operandRange } from '../../src/emu/isa/operands.ts';
import { encodeRow, type Row } from '../../src/emu/isa/row.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { seeded } from '../support/random.ts';

const PER_ROW = 2000;
/** LLVM 19 has no mnemonics for these; their words come from the LVZ specification (docs/lvz.md). */
const NOT_IN_LLVM: Readonly<Record<string, number>> = {
  gtlbclr: 0x06482001,
  gtlbsrch: 0x06482801,
  gtlbrd: 0x06482c01,
  gtlbwr: 0x06483001,
  gtlbfill: 0x06483401,
};
const FEATURES = '+lvz,+64bit,+ual,+f,+d';

function randomWords(row: Row, count: number, random: () => number): number[] {
  const words = new Set<number>();
  const tries = row.operands.length === 0 ? 1 : count;
  for (let n = 0; n < tries * 4 && words.size < tries; n++) {
    const values: Record<string, number> = {};
    for (const o of row.operands) {
      const kind: OperandKind = OPERANDS[o];
      const { min, max, step } = operandRange(kind);
      // The edges first, then anything between.
      const span = (max - min) / step + 1;
      values[o] = n === 0 ? min : n === 1 ? max : min + (random() % span) * step;
    }
    // A bit string whose msb is below its lsb is refused by assemblers.
    if ('msbw' in values && values.msbw! < values.lsbw!) continue;
    if ('msbd' in values && values.msbd! < values.lsbd!) continue;
    // Assemblers refuse what the architecture answers with INE.
    if (row.distinct.length && (values.rd === values.rj || values.rd === values.rk)) continue;
    const word = encodeRow(row, values);
    if (decode(word) === row) words.add(word);
  }
  return [...words];
}

describe('instruction table against LLVM 19', () => {
  const dir = mkdtempSync(join(tmpdir(), 'loongscope-isa-'));
  const random = seeded(20250601);
  const known = ROWS.filter((r) => !(r.name in NOT_IN_LLVM));
  const words = known.flatMap((row) => randomWords(row, PER_ROW, random));
  const texts = words.map((w) => disassemble(w));
  let encoded: Uint32Array;
  let printed: string[];

  beforeAll(async () => {
    const source = join(dir, 'all.s');
    writeFileSync(source, `${texts.join('\n')}\n`);
    const object = join(dir, 'all.o');
    await execa('llvm-mc-19', ['--triple=loongarch64', `--mattr=${FEATURES}`, '-filetype=obj', '-o', object, source]);
    const binary = join(dir, 'all.bin');
    await execa('llvm-objcopy-19', ['-O', 'binary', '-j', '.text', object, binary]);
    const bytes = readFileSync(binary);
    encoded = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    // Our words, not LLVM's, go to the disassembler.
    const words32 = join(dir, 'words.s');
    writeFileSync(words32, `${words.map((w) => `.word 0x${w.toString(16)}`).join('\n')}\n`);
    const raw = join(dir, 'words.o');
    await execa('llvm-mc-19', ['--triple=loongarch64', '-filetype=obj', '-o', raw, words32]);
    const { stdout } = await execa(
      'llvm-objdump-19',
      ['-d', '--no-show-raw-insn', '--no-leading-addr', `--mattr=${FEATURES}`, raw],
      { maxBuffer: 2 ** 30 },
    );
    printed = stdout
      .split('\n')
      .filter((l) => l.startsWith('\t') || /^\s{4,}\S/.test(l))
      .map((l) => l.replace(/<.*>$/, '').trim().replace(/\s+/g, ' '));
  }, 300_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('covers every row', () => {
    expect(words.length).toBeGreaterThan(known.length * 500);
    expect(new Set(words.map((w) => decode(w)!.name)).size).toBe(known.length);
  });

  test('assembles to the same words', () => {
    expect(encoded.length).toBe(words.length);
    const wrong = words.map((w, i) => [i, w, encoded[i]!] as const).filter(([, a, b]) => a !== b);
    expect(
      wrong.slice(0, 10).map(([i, a, b]) => `${texts[i]}: ours ${a.toString(16)}, LLVM ${b.toString(16)}`),
    ).toEqual([]);
  });

  test('disassembles to the same text', () => {
    expect(printed.length).toBe(words.length);
    const wrong = texts.map((t, i) => [words[i]!, t, printed[i]!] as const).filter(([, a, b]) => a !== b);
    expect(wrong.slice(0, 10).map(([w, a, b]) => `${w.toString(16)}: ours '${a}', LLVM '${b}'`)).toEqual([]);
  });

  test('the words that LLVM lacks are those of the LVZ specification', () => {
    for (const [name, word] of Object.entries(NOT_IN_LLVM)) {
      const row = ROWS.find((r) => r.name === name)!;
      expect(encodeRow(row, {})).toBe(word);
      expect(disassemble(word)).toBe(name);
    }
  });
});
