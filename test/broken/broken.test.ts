/** The collection of broken hypervisors: the first message names the cause of each, and correct ones are not blamed. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { ruleOf } from '../../src/emu/debug/why/rules.ts';
import { stable } from '../support/golden.ts';
import { firstWords } from './first-words.ts';
import { MISTAKES } from './mistakes.ts';
import { explainPage } from './page.ts';

const causeIn = (lines: readonly string[]): string[] => lines.filter((l) => /^(root )?cause /.test(l));

/** The first line that a user reads of each mistake. */
const said = new Map<string, string>();

describe('broken hypervisors', () => {
  test('each program has its expectation', () => {
    const built = readdirSync(join(PROJECT_ROOT, 'build', 'broken')).map((f) => f.replace('.elf', ''));
    expect(built.filter((name) => name !== 'paged').sort()).toEqual(MISTAKES.map((m) => m.program).sort());
  });

  test.each(MISTAKES)('$program: $mistake', async ({ program, guest, rule, says }) => {
    const { lines } = await firstWords(program, guest);
    const causes = causeIn(lines);
    expect(causes, lines.join('\n')).toHaveLength(1);
    expect(causes[0]).toMatch(says);
    if (causes[0]!.startsWith('cause'))
      expect(lines).toContainEqual(expect.stringContaining(`rule        ${ruleOf(rule).must}`));
    said.set(program, causes[0]!.replace(/^(root )?cause +/, ''));
  });

  test('docs/explain.md shows what is said', async () => {
    // Of a part of the tests there is only a part of the page.
    if (said.size < MISTAKES.length) return;
    await expect(stable(explainPage(said), PROJECT_ROOT)).toMatchFileSnapshot('../../docs/explain.md');
  });
});

describe('correct hypervisors are not blamed', () => {
  test('the paged one', async () => {
    const { lines, console: text } = await firstWords('paged');
    expect(text).toBe('ok\n');
    expect(causeIn(lines)).toEqual([]);
    expect(lines.filter((l) => l.startsWith('suspicious'))).toEqual([]);
  });

  test.each(['hello', 'paging', 'timer', 'privileged', 'virtio', 'two,name=a+two,name=b', 'smp,vcpus=2'])(
    'the reference hypervisor with %s',
    async (guest) => {
      const { lines, ending } = await firstWords('', guest);
      expect(ending).toBe('poweroff');
      expect(causeIn(lines)).toEqual([]);
      expect(lines.filter((l) => l.startsWith('suspicious'))).toEqual([]);
    },
  );
});
