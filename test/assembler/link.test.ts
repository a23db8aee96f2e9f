/** The labs' programs, linked here and by lld: the same program. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { builtImage, skeletonFolder, solutionSources } from '../../src/cli/labs/folder.ts';
import { LAB_OBJECTS, LIB_OBJECTS, LIB_SOURCES } from '../../src/cli/labs/toolchain.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { assemble } from '../../src/emu/assembler/assembler.ts';
import { parseObject } from '../../src/emu/assembler/elf-object.ts';
import { elfProgram } from '../../src/emu/assembler/elf-program.ts';
import { LinkError, link } from '../../src/emu/assembler/link.ts';
import type { AsmObject } from '../../src/emu/assembler/object.ts';
import { relocate } from '../../src/emu/assembler/relocate.ts';
import { parseElf, readSymbols } from '../../src/emu/boot/elf.ts';
import { elfSections } from '../../src/emu/boot/elf-sections.ts';
import { u32At } from '../../src/emu/formats/little-endian.ts';
import { disassemble } from '../../src/emu/isa/disassembler.ts';
import { LABS } from '../../src/labs/catalog.ts';
import { LAB_LAYOUT } from '../../src/labs/layout.ts';

const text = (...path: string[]): string => readFileSync(join(PROJECT_ROOT, ...path), 'utf8');
const objectOf = (...path: string[]): AsmObject =>
  parseObject(new Uint8Array(readFileSync(join(...path))), path.at(-1)!);
const library = LIB_SOURCES.map((source) => objectOf(LIB_OBJECTS, `${basename(source)}.o`));
const includes = { 'lab.h': text('labs', 'lib', 'lab.h'), 'csr.h': text('src', 'hv', 'csr.h') };

/** @throws Error with the mistakes of the source */
function assembled(name: string, source: string): AsmObject {
  const made = assemble(name, source, includes);
  if ('errors' in made) throw new Error(made.errors.map((e) => e.line).join('\n'));
  return made.object;
}

/** The text that the second half of `la.pcrel` leads to, if it is one. */
function textOf(elf: Uint8Array, instruction: string): string | undefined {
  const offset = /^addi\.d (\$\w+), \1, (-?\d+)$/.exec(instruction)?.[2];
  const strings = elfSections(elf).find((s) => s.name === '.rodata')!;
  if (offset === undefined) return undefined;
  const at = Number(offset) - Number(strings.address & 0xfffn);
  return Buffer.from(strings.data.subarray(at, strings.data.indexOf(0, at))).toString();
}

/** Words of a section that differ. lld sorts texts, so those that lead to the same one are the same. */
function differences(name: string, ...elfs: readonly [Uint8Array, Uint8Array]): string[] {
  const [a, b] = elfs.map((elf) => elfSections(elf).find((s) => s.name === name)!.data) as [Uint8Array, Uint8Array];
  return Array.from({ length: Math.max(a.length, b.length) / 4 }, (_, n) => 4 * n)
    .filter((at) => u32At(a, at) !== u32At(b, at))
    .map((at) => [a, b].map((s) => disassemble(u32At(s, at) ?? 0)))
    .filter((both) => {
      const [x, y] = both.map((text, n) => textOf(elfs[n]!, text));
      return x === undefined || x !== y;
    })
    .map((both) => both.join(' / '));
}

describe('linked as lld links', () => {
  test.each(LABS.flatMap((lab) => [false, true].map((solution) => [lab.name, solution, lab] as const)))(
    '%s, solution: %s',
    (_name, solution, lab) => {
      const sources = solution ? solutionSources(lab) : lab.files;
      const objects = sources.map((source) =>
        source.endsWith('.S')
          ? assembled(source, readFileSync(join(skeletonFolder(lab), source), 'utf8'))
          : objectOf(LAB_OBJECTS, basename(builtImage(lab, solution), '.elf'), `${basename(source)}.o`),
      );
      const own = elfProgram(link(objects, library, LAB_LAYOUT));
      const lld = new Uint8Array(readFileSync(builtImage(lab, solution)));
      const addresses = (elf: Uint8Array): string[] =>
        readSymbols(elf)
          .map(({ name, value, isFunction }) => `${value.toString(16)} ${name} ${isFunction}`)
          .sort();
      expect(addresses(own)).toEqual(addresses(lld));
      expect(parseElf(own, 'own').entry).toBe(parseElf(lld, 'lld').entry);
      for (const name of ['.text', '.guest', '.data']) {
        const [x, y] = [own, lld].map((elf) => elfSections(elf).find((s) => s.name === name)!);
        expect(x!.address).toBe(y!.address);
        expect(differences(name, own, lld)).toEqual([]);
      }
    },
  );
});

describe('mistakes', () => {
  const linked = (source: string) => link([assembled('a.S', source)], [], { ...LAB_LAYOUT, entry: 'here' });
  const start = '.section .guest, "ax"\nnop\n.bss\n.space 8\n.text\n.globl here\nhere:\n';

  test('a symbol that nobody defines is told with its place', () => {
    expect(() => linked(`${start}  bl nobody\n`)).toThrow('nobody is used here, and no file defines it');
  });
  test('a branch that does not reach', () => {
    expect(() => linked(`${start}  beq $a0, $a1, far\n.space 0x40000\n.globl far\nfar: nop\n`)).toThrow(
      /far is too far away for this branch: 262148 bytes/,
    );
  });
  test('two definitions, and none of the entry', () => {
    const twice = [assembled('a.S', start), assembled('b.S', start)];
    expect(() => link(twice, [], { ...LAB_LAYOUT, entry: 'here' })).toThrow(
      new LinkError('b.S defines here, which another file defines, too: choose another name'),
    );
    expect(() => link([assembled('a.S', start)], [], LAB_LAYOUT)).toThrow(/no file defines _start/);
  });
});

test('addresses are built of their parts', () => {
  const words = new DataView(new ArrayBuffer(16));
  const address = 0x9000_0000_0100_0ffcn;
  relocate(words, 0, 'R_LARCH_ABS_HI20', address, 0n);
  relocate(words, 4, 'R_LARCH_ABS_LO12', address, 0n);
  relocate(words, 8, 'R_LARCH_ABS64_LO20', address, 0n);
  relocate(words, 12, 'R_LARCH_ABS64_HI12', address, 0n);
  expect([0, 4, 8, 12].map((at) => words.getUint32(at, true))).toEqual([
    0x01000 << 5,
    0xffc << 10,
    0,
    (0x900 << 10) >>> 0,
  ]);
  // The lower part is added as a signed number.
  const pair = new DataView(new ArrayBuffer(8));
  relocate(pair, 0, 'R_LARCH_PCALA_HI20', address, 0x9000_0000_0100_0000n);
  expect(pair.getUint32(0, true)).toBe(1 << 5);
});
