/**
 * Writes docs/tour.md: the whole output of the guided tour (`./scripts/demo`). Run it after a change of the tour or of the output of the
 * debugger: `npm run record-tour`. test/gdb/tour-page.test.ts compares the page with a new recording.
 */
import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTour } from '../src/cli/demo.ts';
import { findGdb } from '../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { TOURS } from '../src/cli/tour.ts';
import { block } from './recorded-page.ts';

export const TOUR_PAGE = join(PROJECT_ROOT, 'docs', 'tour.md');
const TOOLS = join(PROJECT_ROOT, '.tools');

/**
 * The page, with fresh output.
 * @throws Error when a step did not show what it should
 */
export async function recordTour(): Promise<string> {
  const gdb = await findGdb();
  const out = [
    '# The guided tour',
    'A real gdb drives the reference hypervisor and its guests. This is what `./scripts/demo` prints: `npm run record-tour` records it again. Addresses and counts on your machine may differ a little. [gdb.md](gdb.md) has all the commands.',
  ];
  for (const [n, tour] of TOURS.entries()) {
    const { ok, steps, screen, transcript } = await runTour(tour, gdb, n + 1, false);
    if (!ok) throw new Error(`the tour '${tour.title}' did not show all that it should:\n${transcript}`);
    out.push(`## ${n + 1} ${tour.title}`);
    for (const [k, step] of tour.steps.entries())
      out.push(`### ${n + 1}.${k + 1} ${step.title}`, step.text, block(steps[k]!));
    out.push('The guest’s screen:', block(screen.join('\n')));
  }
  return `${out.join('\n\n')}\n`.replaceAll(PROJECT_ROOT, '.').replaceAll(realpathSync(TOOLS), '.tools');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TOUR_PAGE, await recordTour());
