/** The assembler against the instruction table, and pseudo-instructions against llvm-mc. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { assemble } from '../../src/emu/assembler/assembler.ts';
import { decode } from '../../src/emu/isa/decoder.ts';
import { disassemble } from '../../src/emu/isa/disassembler.ts';
import { OPERANDS, operandRange } from '../../src/emu/isa/operands.ts';
import { encodeRow } from '../../src/emu/isa/row.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-asm-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The words of a source's .text. @throws Error with its mistakes */
function wordsOf(source: string): number[] {
  const made = assemble('test.S', source);
  if ('errors' in made) throw new Error(made.errors.map((e) => e.line).join('\n'));
  const { data } = made.object.sections[0]!;
  return [...new Uint32Array(data!.buffer, 0, data!.length / 4)];
}

/** What is wrong with a source. */
function mistakes(source: string): string[] {
  const made = assemble('test.S', source, { 'own.h': '#include "own.h"\n' });
  return 'errors' in made ? made.errors.map((e) => e.line) : [];
}

test('what the disassembler prints becomes the same word, for each instruction of the table', () => {
  const instruction = fc.constantFrom(...ROWS).chain((row) =>
    fc
      .tuple(
        ...row.operands.map((o) => {
          const { min, max, step } = operandRange(OPERANDS[o]);
          return fc.integer({ min: min / step, max: Math.floor(max / step) }).map((n) => n * step);
        }),
      )
      .map((values) => encodeRow(row, Object.fromEntries(row.operands.map((o, n) => [o, values[n]!]))))
      .filter((word) => decode(word) !== undefined),
  );
  fc.assert(
    fc.property(fc.array(instruction, { minLength: 1, maxLength: 50 }), (words) => {
      // Words that the architecture answers with INE are refused.
      const good = words.filter((w) => mistakes(disassemble(w)).length === 0);
      expect(wordsOf(good.map(disassemble).join('\n'))).toEqual(good);
      for (const bad of words.filter((w) => !good.includes(w)))
        expect(mistakes(disassemble(bad)).join()).toMatch(/is below the lower one|must be another one/);
    }),
    { numRuns: 200 },
  );
});

test('each instruction of the table is assembled', () => {
  for (const row of ROWS) {
    // Registers that differ, and the upper bit not below the lower one.
    const values = Object.fromEntries(
      row.operands.map((o, n) => {
        const { min, max, step } = operandRange(OPERANDS[o]);
        return [o, Math.max(min, Math.min(max, OPERANDS[o].type === 'int' ? (3 - Math.min(n, 3)) * step : n + 1))];
      }),
    );
    const word = encodeRow(row, values);
    expect(wordsOf(disassemble(word)), `${row.name}: ${disassemble(word)}`).toEqual([word]);
  }
});

test('a number in a register takes the instructions that LLVM takes, and is the same number', async () => {
  const numbers = fc.sample(
    fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -(2n ** 31n), max: 2n ** 32n }),
      fc.bigInt({ min: -5000n, max: 5000n }),
      // Bits of each of the four parts, all or none.
      fc
        .array(fc.constantFrom(0n, 1n, 2n, 3n, -1n), { minLength: 4, maxLength: 4 })
        .map(([a, b, c, d]) =>
          BigInt.asIntN(
            64,
            ((a! & 0xfffn) << 52n) | ((b! & 0xfffffn) << 32n) | ((c! & 0xfffffn) << 12n) | (d! & 0xfffn),
          ),
        ),
      fc.nat(63).map((n) => BigInt.asIntN(64, 1n << BigInt(n))),
    ),
    3000,
  );
  const lines = numbers.map((n) => `li.d $a0, ${n}`);
  for (const n of numbers) if (n >= -(2n ** 31n) && n < 2n ** 31n) lines.push(`li.w $t0, ${n}`);
  const [source, object, binary] = ['n.s', 'n.o', 'n.bin'].map((f) => join(folder, f)) as [string, string, string];
  writeFileSync(source, `${lines.join('\n')}\n`);
  await execa('llvm-mc-19', ['--triple=loongarch64', '-filetype=obj', '-o', object, source]);
  await execa('llvm-objcopy-19', ['-O', 'binary', '-j', '.text', object, binary]);
  const bytes = readFileSync(binary);
  const llvm = [...new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))];
  expect(wordsOf(lines.join('\n'))).toEqual(llvm);
});

describe('mistakes are told with their place', () => {
  test.each([
    ['  addi.d $a0, $a1, 5000', ['test.S:1:20: addi.d, operand 3: expected a number from -2048 to 2047, found 5000']],
    ['nop\n  foo $a0', [/^test\.S:2:3: there is no instruction foo/]],
    ['  addi $a0, $a1, 1', ['test.S:1:3: there is no instruction addi: there are addi.w, addi.d']],
    ['  add.d $a0, $a1', ['test.S:1:3: add.d needs rd, rj, rk; 2 operands are given']],
    ['  add.d $a0, $a1, a2', ["test.S:1:19: add.d, operand 3: expected a general register, as $a0, found 'a2'"]],
    ['  add.d $a0, $a9, $a2', [/:1:14: add\.d, operand 2: expected a general register, as \$a0, found '\$a9'/]],
    ['  csrrd $t0, CSR_CRMD', ['test.S:1:14: csrrd, operand 2: expected a number; CSR_CRMD is not defined']],
    ['here: li.d $t0, here', ['test.S:1:1: expected a number; here is an address']],
    ['  li.w $t0, 0x123456789', [/:1:13: li\.w: expected a number of 32 bits, found 4886718345/]],
    ['  bstrpick.d $a0, $a1, 3, 5', [/the upper bit, 3, is below the lower one, 5/]],
    ['a: nop\na: nop', ['test.S:2:1: a is defined already: choose another name']],
    ['  .word (1', [/:1:3: '\(1': '\)' is missing/]],
    ['  .word 1 +', [/expected a number, a symbol or an operator, found nothing more/]],
    ['  .word 1 / 0', [/:1:11: '1 \/ 0': division by zero/]],
    ['  .byte 256 + 1', [/expected a number of 8 bits, found 257/]],
    ['  .balign 3', [/:1:11: the alignment must be a power of two, and is 3/]],
    ['  .frob 1', ['test.S:1:3: the directive .frob is not known here']],
    ['#include "other.h"', [/:1:10: #include of "other\.h": files that can be included: own\.h/]],
    ['#include "own.h"', [/#include of "own\.h": it includes itself/]],
    ['#ifdef A\nnop', [/#endif is missing/]],
    ['.macro m\nnop', ['test.S:1:1: .endm is missing: .macro has no end']],
    ['.macro m a:req\nnop\n.endm\n  m', [/:4:3: the macro m needs a value for a/]],
    ['.macro m\nm\n.endm\nm', [/macros call each other without an end/]],
    ['.rept 100000000\nnop\n.endr', [/\.rept: expected at most 500000, found 100000000/]],
    ['.rept 500000\nnop\n.endr\nnop', [/more than 500000 lines/]],
    ['.rept 100000000\n.endr', [/\.rept: expected at most 500000, found 100000000/]],
    [
      ['#define x0 1', ...Array.from({ length: 30 }, (_, n) => `#define x${n + 1} x${n} x${n}`), '  .word x30'].join(
        '\n',
      ),
      [/becomes more than 10000 characters/],
    ],
    ['.macro m a\nm "\\a\\a"\n.endm\nm xx', [/a line of more than 10000 characters/]],
    ['  .space -1', [/the size: expected a number from 0 to/]],
    ['  .ascii hello', [/:1:10: expected a text between quotes, found 'hello'/]],
    ['  b 2', [/:1:5: b, operand 1: expected a distance from -134217728 to 134217724, a multiple of 4, found 2/]],
    ['  .popsection', [/\.popsection without \.pushsection/]],
    ['  foo\n  bar\n', [/:1:3/, /:2:3/]],
  ] as const)('%j', (source, expected) => {
    const told = mistakes(source);
    expect(told).toHaveLength(expected.length);
    expected.forEach((e, n) => {
      if (typeof e === 'string') expect(told[n]).toBe(e);
      else expect(told[n]).toMatch(e);
    });
  });

  test('whatever is written: mistakes are told, or it is assembled, and nothing else happens', () => {
    const word = fc.constantFrom(
      ...[
        '.macro',
        '.endm',
        '.irp',
        '.rept',
        '.endr',
        '.if',
        '.endif',
        '#if',
        '#else',
        '#endif',
        '#define',
        'x',
        '\\x',
      ],
      ...[
        'li.d',
        'addi.d',
        '$a0',
        ',',
        '(',
        ')',
        '"',
        "'",
        '0x10',
        '1f',
        '1:',
        '.',
        '+',
        '<<',
        '.word',
        '=',
        '%pc_hi20(',
      ],
      ...['\n', '\n', ' ', ' ', '/*', '*/', '//', ';', '.set', 'la.pcrel', 'b', '.balign', '4'],
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        assemble('test.S', words.join(''));
      }),
      { numRuns: 3000 },
    );
  });
});
