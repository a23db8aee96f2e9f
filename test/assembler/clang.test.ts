/** The project's own assembly files, assembled here and by clang 19: the same sections, symbols and relocations. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { TARGET_FLAGS } from '../../src/cli/labs/toolchain.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { assemble } from '../../src/emu/assembler/assembler.ts';
import { parseObject } from '../../src/emu/assembler/elf-object.ts';
import type { AsmObject } from '../../src/emu/assembler/object.ts';

const FOLDERS = [
  'labs',
  'guests',
  'src/hv',
  'examples',
  'test/lvz',
  'test/conformance',
  'test/threads',
  'test/board',
  'test/broken',
];
const sources = FOLDERS.flatMap((folder) =>
  readdirSync(join(PROJECT_ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.S'))
    .map((file) => join(folder, file)),
).sort();
const folder = mkdtempSync(join(tmpdir(), 'loongscope-asm-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Where header files of a source are. */
const includeFolders = (source: string): string[] => [
  ...[dirname(source), join(dirname(source), '..', 'lib'), 'labs/lib', 'src/hv', 'guests/lib', 'test/lvz/lib'],
  ...['test/conformance/lib', 'test/broken/paged'],
];

/** Where a symbol is, without its name where that is only for the assembler. */
function placeOf({ symbols }: AsmObject, name: string): string {
  const symbol = symbols.find((s) => s.name === name);
  if (!symbol || symbol.global || symbol.section === undefined) return name;
  return `section ${symbol.section} + ${symbol.value}`;
}

/** An object as it must be. Relocations with a section and an addend are the same as those with a symbol in it. */
function shape(object: AsmObject): unknown {
  const used = object.sections.flatMap((s, n) => (s.size > 0 ? [n] : []));
  const sectionText = (text: string): string =>
    text.replace(/^section (\d+)/, (_, n) => `section ${used.indexOf(Number(n))}`);
  return {
    sections: used.map((n) => {
      const { name, writable, executable, align, size, data, relocations } = object.sections[n]!;
      return {
        ...{ name, writable, executable, align, size },
        data:
          data &&
          Buffer.from(data)
            .toString('hex')
            .replace(/(.{8})/g, '$1 '),
        relocations: relocations.map(({ at, type, symbol, addend }) => {
          const place = sectionText(placeOf(object, symbol));
          const [, section, own] = /^(section \d+) \+ (\d+)$/.exec(place) ?? [];
          return section === undefined
            ? `${at} ${type} ${place} ${addend}`
            : `${at} ${type} ${section} ${BigInt(own!) + addend}`;
        }),
      };
    }),
    globals: object.symbols
      .filter((s) => s.global)
      .map(
        (s) => `${s.name} ${s.section === undefined ? 'absolute' : used.indexOf(s.section)} ${s.value} ${s.isFunction}`,
      )
      .sort(),
  };
}

describe('against clang', () => {
  test.each(sources)('%s', async (source) => {
    const includes = includeFolders(source);
    const output = join(folder, 'object.o');
    const flags = TARGET_FLAGS.filter((f) => f !== '-g');
    await execa(
      process.env.LS_CLANG ?? 'clang-19',
      [...flags, ...includes.flatMap((f) => ['-I', f]), '-c', source, '-o', output],
      { cwd: PROJECT_ROOT },
    );
    const headers: Record<string, string> = {};
    for (const name of includes.toReversed())
      try {
        for (const file of readdirSync(join(PROJECT_ROOT, name)))
          if (/\.[hS]$/.test(file)) headers[file] = readFileSync(join(PROJECT_ROOT, name, file), 'utf8');
      } catch {
        // Not each of them is there.
      }
    const own = assemble(source, readFileSync(join(PROJECT_ROOT, source), 'utf8'), headers);
    if ('errors' in own) throw new Error(own.errors.map((e) => e.line).join('\n'));
    expect(shape(own.object)).toEqual(shape(parseObject(new Uint8Array(readFileSync(output)), source)));
  });

  test('there are many', () => {
    expect(sources.length).toBeGreaterThan(40);
  });
});
