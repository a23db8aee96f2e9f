/** The pages of the labs show what really happens, in each language. */
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { chineseOf, pageText, RECORDED_PAGES, recordedBlocks, withBlocks } from '../../scripts/record-labs.ts';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { LABS } from '../../src/labs/catalog.ts';
import { stable } from '../support/golden.ts';

test.each(RECORDED_PAGES)('%s is what really happens', { timeout: 60_000 }, async (page) => {
  const version = (await execa(await findGdb(), ['--version'])).stdout.split('\n')[0]!;
  const fresh = await recordedBlocks(page);
  // Other versions of gdb say some things in other words.
  if (!/ 18\.\d+$/.test(version)) return;
  for (const twin of [page, chineseOf(page)]) {
    const text = pageText(twin);
    expect(stable(withBlocks(text, fresh), PROJECT_ROOT), 'npm run record-labs').toBe(stable(text, PROJECT_ROOT));
  }
});

describe.each(LABS)('the page of $name', ({ name }) => {
  const text = pageText(`labs/${name}/README.md`);

  test('teaches: why, what, the manual, a picture, a walk with gdb', () => {
    const headings = [...text.matchAll(/^## (.*)$/gm)].map((m) => m[1]);
    expect(headings).toEqual(['Why', 'What to know', 'The world switch', 'Do it', 'Walk through it', 'Think about it']);
    expect(text).toMatch(/^The manual, Vol\. 1: \d/m);
    expect(text.match(/^\(gdb\) /gm)!.length).toBeGreaterThan(5);
  });

  test('its session sees the world switch', () => {
    expect(text).toMatch(/leave_guest|guest_refill|guest_turn/);
    expect(text).toMatch(/VM 1 \(gid 1\) entered for the first time/);
  });
});
