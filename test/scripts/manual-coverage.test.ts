/** docs/manual-coverage.md can be believed: what it is made from agrees with the tables and the files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROWS, ROWS_BY_FILE } from '../../scripts/manual-coverage/instructions.ts';
import { sectionsIn } from '../../scripts/manual-coverage/marks.ts';
import { coverage, holes, unknown } from '../../scripts/manual-coverage/page.ts';
import { SECTIONS } from '../../scripts/manual-coverage/sections.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { CSRS } from '../../src/emu/cpu/csr-table.ts';

describe('coverage of the manual', () => {
  test('every instruction of Volume 1 belongs to a section, and every section of instructions has some', () => {
    const patterns = SECTIONS.flatMap(({ place }) => ('rows' in place ? [place.rows] : []));
    const volume1 = [...ROWS_BY_FILE.keys()];
    expect(volume1.filter((name) => !patterns.some((p) => p.test(name)))).toEqual([]);
    expect(patterns.filter((p) => !ROWS.some((r) => p.test(r.name)))).toEqual([]);
  });

  test('every register of Volume 1 belongs to a section, and every name is one of a register', () => {
    const named = SECTIONS.flatMap(({ place }) => ('csrs' in place ? place.csrs : []));
    const table = CSRS.map((r) => r.name);
    expect(named.filter((name) => !table.includes(name))).toEqual([]);
    // One stands for all of a numbered family. The registers of LVZ are not in Volume 1.
    const family = (name: string): string => name.replace(/^(SAVE|MWP|FWP)\d/, '$10');
    const lvz = ['GTLBC', 'TRGP', 'GSTAT', 'GCFG', 'GINTC', 'GCNTC'];
    expect(table.filter((n) => !lvz.includes(n) && !named.includes(family(n)) && n !== 'FWP0CFG4').map(family)).toEqual(
      Array.from({ length: 7 }, () => 'FWP0CFG4'),
    );
  });

  test('every file of the list exists', () => {
    const files = coverage(PROJECT_ROOT).flatMap(({ places, tests }) => [...places, ...tests]);
    expect(files.filter((f) => !existsSync(join(PROJECT_ROOT, f)))).toEqual([]);
  });

  test('every mark in a test names a section that exists', () => {
    expect(unknown(PROJECT_ROOT)).toEqual([]);
  });

  test('every section has a test, or the reason why there is none', () => {
    expect(holes(coverage(PROJECT_ROOT)).map(({ section, untested }) => [section.number, ...untested])).toEqual([]);
  });

  test.each([
    ['  // Manual: 5.4.2, 7.5.1', ['5.4.2', '7.5.1']],
    ['# Manual: 2.2.7.4', ['2.2.7.4']],
    [' * Manual: 6.3.2 and 6.3.3.', ['6.3.2', '6.3.3']],
    ['expect(1); // see the manual: 5.4', []],
    ['# LoongArch Reference Manual, 5.4', []],
  ])('a mark is a comment of its own: %s', (line, sections) => {
    expect(sectionsIn(line)).toEqual(sections);
  });
});
