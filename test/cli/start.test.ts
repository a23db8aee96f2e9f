/** What starts with the program: Node needs a millisecond for each file. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const MAIN = join(PROJECT_ROOT, 'build', 'cli', 'main.js');
/** Tells which files Node loads. */
const TELL = `data:text/javascript,import { registerHooks } from 'node:module'; registerHooks({ load(url, context, next) { if (url.startsWith('file:')) console.error('loaded ' + url); return next(url, context); } });`;

async function loaded(...args: string[]): Promise<readonly string[]> {
  const { stderr } = await execa(process.execPath, ['--import', TELL, MAIN, ...args]);
  return [...stderr.matchAll(/^loaded .*\/([^/]+)$/gm)].map((m) => m[1]!);
}

// The program from the sources, as in fast tests, has no bundle.
test.runIf(existsSync(MAIN))('a run loads few files, and none that only other commands use', async () => {
  const files = await loaded('run', '--no-sandbox', join(PROJECT_ROOT, 'build', 'bench', 'empty.elf'));
  expect(files).toContain('main.js');
  expect(files.filter((name) => /^(?:program-)?run-/.test(name)).length).toBeGreaterThan(1);
  expect(files.length).toBeLessThan(16);
  expect(files.join(' ')).not.toMatch(/explore-worker\.js|^lab-|demo-|queue-pool/);
});
