/** The LVZ conformance programs (bare metal, by section of docs/lvz.md). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { programsOf, runProgram } from '../support/conformance.ts';

const programs = programsOf('lvz');

describe('LVZ conformance programs', () => {
  test.each(programs)('%s: every check passes, and names its evidence', (name) => {
    for (const model of ['max', 'la464'] as const) {
      const { passed, failed, complete, skipped } = runProgram('lvz', name, featuresOf(model));
      expect(failed).toEqual([]);
      expect([complete, skipped]).toEqual([true, false]);
      expect(passed.filter((line) => !/^\[[mkhic]\] /.test(line))).toEqual([]);
    }
  });

  test('a CPU without LVZ is told apart', () => {
    for (const name of programs) expect(runProgram('lvz', name, featuresOf('max', { lvz: false })).skipped).toBe(true);
  });

  test('every program names the section that it is about', () => {
    const sections = [
      ...readFileSync(new URL('../../docs/lvz.md', import.meta.url), 'utf8').matchAll(/^## (.*)$/gm),
    ].map((m) => m[1]!);
    for (const name of programs) {
      const head = readFileSync(new URL(`./${name}.S`, import.meta.url), 'utf8').split('*/')[0]!;
      const named = [...head.matchAll(/"([^"]+)"/g)].map((m) => m[1]!);
      expect(named.length, name).toBeGreaterThan(0);
      for (const section of named) expect(sections, name).toContain(section);
    }
  });
});
