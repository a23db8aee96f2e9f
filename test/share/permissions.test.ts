/** Once it is open, the shared folder names nothing but descriptors. */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'loongscope-permitted-')));
afterAll(() => rmSync(folder, { recursive: true }));

test('everything works in a process that may touch nothing else', async () => {
  const share = join(folder, 'share');
  mkdirSync(share);
  symlinkSync('/etc/hostname', join(share, 'link'));
  const { stdout } = await execa(process.execPath, [
    '--permission',
    '--disable-warning=ExperimentalWarning',
    `--allow-fs-read=${PROJECT_ROOT}/*`,
    // The folder itself, to open it; what is in it has no such permission.
    `--allow-fs-read=${share}`,
    '--allow-fs-read=/proc/self/fd/*',
    '--allow-fs-write=/proc/self/fd/*',
    join(PROJECT_ROOT, 'test', 'share', 'permitted.ts'),
    share,
  ]);
  expect(JSON.parse(stdout)).toEqual({
    names: ['.', '..', 'f\xff', 'third'],
    text: 'te',
    target: '/etc/hostname',
    asked: 2,
    made: ['/proc/self/fd/N/new'],
    denied: 'ERR_ACCESS_DENIED',
  });
  expect(readdirSync(share)).toEqual(['link']);
});
