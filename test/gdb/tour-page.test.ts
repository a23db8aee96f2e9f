/** docs/tour.md shows what the tour shows today; README.md quotes it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { recordTour, TOUR_PAGE } from '../../scripts/record-tour.ts';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { stable } from '../support/golden.ts';

const page = (name: string): string => readFileSync(join(PROJECT_ROOT, name), 'utf8');

test('docs/tour.md is what really happens', { timeout: 120_000 }, async () => {
  const fresh = await recordTour();
  const version = (await execa(await findGdb(), ['--version'])).stdout.split('\n')[0]!;
  // Other versions of gdb say some things in other words.
  if (/ 18\.\d+$/.test(version))
    expect(stable(fresh, PROJECT_ROOT), 'npm run record-tour').toBe(
      stable(readFileSync(TOUR_PAGE, 'utf8'), PROJECT_ROOT),
    );
});

test.each(['README.md', 'README.zh-CN.md'])('%s shows lines of the tour, in their order', (name) => {
  const shown = /^```gdb\n([\s\S]*?)^```$/m.exec(page(name))![1]!.trimEnd().split('\n');
  expect(shown.length).toBeGreaterThan(20);
  const tour = page('docs/tour.md').split('\n');
  let from = 0;
  for (const line of shown.filter((l) => l !== '')) {
    const at = tour.indexOf(line, from);
    expect(at, line).toBeGreaterThanOrEqual(0);
    from = at + 1;
  }
});
