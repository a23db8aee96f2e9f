/** The benchmark's tables; the measurements themselves are no tests. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bench } from '../../src/cli/bench/bench.ts';
import { CLIFF_LIMIT, CLIFFS, type CliffResult, cliffPrograms, cliffRows } from '../../src/cli/bench/cliffs.ts';
import { KERNELS } from '../../src/cli/bench/kernels.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const always = (value: number) => ({ median: value, least: value, most: value });
const result = (factor: number): CliffResult => ({
  cliff: CLIFFS[0]!,
  good: always(1),
  bad: always(factor),
  qemu: undefined,
  factor: always(factor),
});

describe('bench --cliffs', () => {
  test('a case that is worse than the limit is missed, one at the limit is reached', () => {
    const last = (factor: number): string => cliffRows([result(factor)])[1]!.at(-1)!;
    expect(last(CLIFF_LIMIT)).toBe('reached');
    expect(last(CLIFF_LIMIT + 0.01)).toBe('missed');
  });

  test('every program has a source and is built', () => {
    const script = readFileSync(join(PROJECT_ROOT, 'scripts', 'build-bench'), 'utf8');
    for (const cliff of CLIFFS) {
      if (cliff.options) expect(KERNELS.map((k) => k.name)).toContain(cliff.options.kernel);
      else {
        expect(cliffPrograms(cliff)).toEqual([`cliff-${cliff.name}-good`, `cliff-${cliff.name}-bad`]);
        const source = new RegExp(`cliff ${cliff.name} (\\w+)`).exec(script)?.[1] ?? cliff.name;
        expect(script).toMatch(new RegExp(`(cliff|for name in[\\w ]*) ${cliff.name}\\b`));
        expect(existsSync(join(PROJECT_ROOT, 'guests', 'bench', 'cliffs', `${source}.c`))).toBe(true);
      }
    }
  });

  test('an unknown case is refused with those that exist', async () => {
    const names = CLIFFS.map((c) => c.name).join(', ');
    await expect(bench({ pairs: 1, cliffs: true, kernel: ['steep'] })).rejects.toThrow(
      `--kernel: 'steep' is unknown: use ${names}`,
    );
  });
});
