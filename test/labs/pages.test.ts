/** The pages of the labs show what really happens, in each language. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { chineseOf, pageText, RECORDED_PAGES, recordedBlocks, withBlocks } from '../../scripts/record-labs.ts';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { skeletonFolder, solutionSources } from '../../src/cli/labs/folder.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { LABS } from '../../src/labs/catalog.ts';
import { inLanguage } from '../../src/labs/language.ts';
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

describe.each(LABS)('the page of $name', (lab) => {
  const { name } = lab;
  const text = pageText(`labs/${name}/README.md`);

  test('says how in Rust, and where to stop in gdb: at a function that is there', () => {
    const inRust = inLanguage(lab, 'Rust');
    const sources = solutionSources(inRust).map((path) => readFileSync(join(skeletonFolder(lab), path), 'utf8'));
    for (const page of [text, pageText(`labs/${name}/README.zh-CN.md`)]) {
      expect(page).toContain(
        `loongscope lab ${name} --rust --start ${name}-rust\nloongscope lab ${name} ${name}-rust\n`,
      );
      const place = /`break (?:main::)?(\w+)`/.exec(page)![1]!;
      expect(sources.join('')).toMatch(new RegExp(`^fn ${place}\\(|^${place}:`, 'm'));
    }
  });

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
