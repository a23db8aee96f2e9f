/** The library of the labs in Rust: its numbers are those of the other tables, and nothing is warned of. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { skeletonFolder, skeletonSources, solutionSources } from '../../src/cli/labs/folder.ts';
import { compileRust, lookForRust } from '../../src/cli/labs/rustc.ts';
import { build, findToolchain } from '../../src/cli/labs/toolchain.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { parseElf, readSymbols } from '../../src/emu/boot/elf.ts';
import { csrByName } from '../../src/emu/cpu/csr-table.ts';
import { LABS } from '../../src/labs/catalog.ts';
import { inLanguage } from '../../src/labs/language.ts';
import { resultLines } from '../../src/labs/report.ts';
import { checkEdited } from './edited.ts';

const read = (...names: string[]): string => readFileSync(join(PROJECT_ROOT, ...names), 'utf8');
const rust = await lookForRust();

/** A number of C or Rust: hexadecimal or not, or a shifted one. */
const numberOf = (text: string): bigint => {
  const [value, by = '0'] = text.replaceAll(/[_()]|u?l?$/g, '').split('<<');
  return BigInt(value!.trim()) << BigInt(by.trim());
};

/** Constants of a header of C by name, those that are plain numbers. */
const inC = (text: string): Map<string, bigint> =>
  new Map(
    [...text.matchAll(/^#define (\w+) (\(?(?:0x)?[\da-f]+(?: << \d+)?\)?(?:ul)?)(?= *(?:\/\*.*)?$)/gm)].map((m) => [
      m[1]!,
      numberOf(m[2]!),
    ]),
  );

test('the CSRs have the numbers of the table', () => {
  const csrs = [...read('labs', 'lib', 'rust', 'csr.rs').matchAll(/\b([A-Z]+\d?) = (0x[\da-f]+)/g)];
  expect(csrs.length).toBeGreaterThan(30);
  for (const [, name, number] of csrs) expect([name, Number(number)]).toEqual([name, csrByName(name!)?.num]);
});

test('constants that C has, too, are the same', () => {
  const c = new Map([...inC(read('src', 'hv', 'csr.h')), ...inC(read('labs', 'lib', 'lab.h'))]);
  const compared: string[] = [];
  for (const file of ['csr.rs', 'memory.rs'])
    for (const [, name, text] of read('labs', 'lib', 'rust', file).matchAll(
      /^pub const (\w+): u\w+ = ((?:0x[\da-f_]+|\d+)(?: << \d+)?);/gm,
    )) {
      const wanted = c.get(name!);
      if (wanted === undefined) continue;
      compared.push(name!);
      expect([name, numberOf(text!)]).toEqual([name, wanted]);
    }
  for (const name of ['CRMD_DA', 'GTLBC_USETGID', 'IS_TIMER', 'ECODE_HVC', 'GUEST_START', 'PTE_W', 'WINDOW_CACHED'])
    expect(compared).toContain(name);
});

test.each(LABS.map((lab) => inLanguage(lab, 'Rust')))('the hints of $name name nothing of C', (lab) => {
  for (const { hint, zh } of [...lab.mistakes, ...lab.atEntry])
    for (const text of [hint, zh]) expect(text).not.toMatch(/\w\.c\b|->|\bstage2\b/);
});

test('the structure of a vCPU is asserted to be as the assembly knows it', () => {
  const asserted = [...read('labs', 'lib', 'rust', 'vcpu.rs').matchAll(/offset_of!\(Vcpu, (\w+)\) == (0x[\da-f]+)/g)];
  const wanted = [...inC(read('labs', 'lib', 'lab.h'))].filter(([name]) => name.startsWith('VCPU_'));
  expect(asserted.map((m) => [`VCPU_${m[1]!.toUpperCase()}`, BigInt(m[2]!)])).toEqual(wanted);
});

describe.skipIf('missing' in rust)('a program in Rust', () => {
  test('may use floating point, and vectors of the core library', async () => {
    const [from, value] = [
      'println!("h1: LVZ version {version}");',
      '(half * 2.0) as usize + text.chars().count() - 64',
    ];
    const to = [
      'let text = core::hint::black_box("four and sixty letters, which the core library counts as vectors");',
      `let half = core::hint::black_box(version as f64) / 2.0; println!("h1: LVZ version {}", ${value});`,
    ];
    const result = await checkEdited('h1', 'main.rs', from, to.join(' '), 'Rust');
    expect(resultLines(result).join('\n')).toMatch(/^h1: passed/);
  });

  test('has nothing where the stack of the host is', async () => {
    if ('missing' in rust) return;
    const place = mkdtempSync(join(tmpdir(), 'loongscope-rust-test-'));
    try {
      const lab = inLanguage(LABS[0]!, 'Rust');
      const image = join(place, 'lab.elf');
      await build(await findToolchain(), skeletonFolder(lab), solutionSources(lab), image);
      const bytes = readFileSync(image);
      const stack = readSymbols(bytes).find(({ name }) => name === 'stack_top')!.value - 0x4000n;
      const { segments } = parseElf(bytes, image);
      const own = segments.filter(({ vaddr }) => vaddr > stack - 0x100000n);
      expect(own).toHaveLength(2);
      for (const { vaddr, memsz } of own) expect(vaddr + BigInt(memsz)).toBeLessThanOrEqual(stack);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

describe.skipIf('missing' in rust)('rustc warns of nothing', () => {
  test.each(LABS.map((lab) => inLanguage(lab, 'Rust')))('in $name', async (lab) => {
    if ('missing' in rust) return;
    const strict = async (program: string, args: readonly string[], folder: string): Promise<void> => {
      await execa(program, ['-D', 'warnings', ...args], { cwd: folder });
    };
    const place = mkdtempSync(join(tmpdir(), 'loongscope-rust-test-'));
    try {
      for (const path of new Set([...skeletonSources(lab), ...solutionSources(lab)]))
        if (path.endsWith('.rs')) await compileRust(rust, skeletonFolder(lab), path, place, strict);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});
