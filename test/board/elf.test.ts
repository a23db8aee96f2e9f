/** Symbols and sections of ELF files, and what damage does to them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { guestPath, HYPERVISOR } from '../../src/cli/paths.ts';
import { checkElf, parseElf, readSymbols } from '../../src/emu/boot/elf.ts';
import { elfCode } from '../../src/emu/boot/elf-code.ts';
import { elfSections, stringsOf } from '../../src/emu/boot/elf-sections.ts';
import { ImageError } from '../../src/emu/formats/image-error.ts';

const bytes = new Uint8Array(readFileSync(HYPERVISOR));

describe('symbols', () => {
  test('names, addresses and sizes are those that llvm-nm gives', async () => {
    const { stdout } = await execa('llvm-nm-19', ['--defined-only', '--print-size', '--numeric-sort', HYPERVISOR]);
    const expected = new Set(
      stdout
        .split('\n')
        .map((l) => l.trim().split(/\s+/))
        .map((w) => (w.length === 4 ? [w[3]!, w[0]!, w[1]!] : [w[2]!, w[0]!, '0']))
        .filter(([name]) => !name!.startsWith('.L'))
        .map(([name, value, size]) => `${name} ${BigInt(`0x${value}`)} ${Number(`0x${size}`)}`),
    );
    const found = new Set(readSymbols(bytes).map((s) => `${s.name} ${s.value} ${s.size}`));
    expect(found).toEqual(expected);
    expect(found.size).toBeGreaterThan(50);
  });

  test('a label in debug information is an offset there, and names no address', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'loongscope-elf-')), 'labels.o');
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    const source =
      '.globl code\ncode: nop\n.section .debug_str,"MS",@progbits,1\n.asciz "a"\nlabel: .asciz "b"\n.globl absolute\nabsolute = 0x1234\n';
    await execa('clang-19', ['--target=loongarch64-unknown-none', '-x', 'assembler', '-c', '-', '-o', file], {
      input: source,
    });
    expect(readSymbols(new Uint8Array(readFileSync(file))).map((s) => s.name)).toEqual(['code', 'absolute']);
  });

  test('a name that another one ends with is found inside it', () => {
    const nameOf = stringsOf(new TextEncoder().encode('\0do_exit\0main\0'));
    expect([nameOf(1), nameOf(4), nameOf(9), nameOf(14), nameOf(99)]).toEqual(['do_exit', 'exit', 'main', '', '']);
  });

  test('sections by name', () => {
    const names = elfSections(bytes).map((s) => s.name);
    expect(names).toEqual(expect.arrayContaining(['.text', '.symtab', '.strtab', '.shstrtab']));
  });
});

describe('damage', () => {
  const guest = new Uint8Array(readFileSync(guestPath('hello')));

  test('any byte of the headers changed, or the end cut off: symbols are missing at worst', () => {
    const tables = Number(new DataView(guest.buffer).getBigUint64(40, true));
    const place = fc.oneof(
      fc.nat(63),
      fc.nat(guest.length - 1 - tables).map((n) => tables + n),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.nat(255)), { maxLength: 8 }), fc.nat(guest.length), (changes, cut) => {
        const damaged = guest.slice();
        for (const [at, value] of changes) damaged[at] = value;
        expect(Array.isArray(readSymbols(damaged))).toBe(true);
        expect(Array.isArray(readSymbols(damaged.subarray(0, cut)))).toBe(true);
        try {
          elfCode(damaged.subarray(0, cut));
          checkElf(damaged.subarray(0, cut), 'x');
          parseElf(damaged.subarray(0, cut), 'x');
        } catch (error) {
          expect(error).toBeInstanceOf(ImageError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
