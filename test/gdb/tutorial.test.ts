/** The tutorial shows what the debugger says today. */
import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { recordTutorial, TUTORIAL } from '../../scripts/record-tutorial.ts';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { stable } from '../support/golden.ts';

test('docs/tutorial/sync-exception.md is what really happens', async () => {
  const fresh = await recordTutorial(false);
  for (const line of [
    /root cause {2}this address is a vector: VM 1 took SYS/,
    /EENTRY was never written/,
    /make_system_call \(\) at/,
    /#1 .* guest_main/,
    /syscall/,
    /first instruction of VM 1 vcpu 0/,
    /audit: CSR never initialised: VM 1 took SYS/,
  ])
    expect(fresh.en).toMatch(line);
  const version = (await execa(await findGdb(), ['--version'])).stdout.split('\n')[0]!;
  // Other versions of gdb say some things in other words.
  if (/ 18\.\d+$/.test(version))
    for (const language of ['en', 'zh-CN'] as const)
      expect(stable(fresh[language], PROJECT_ROOT), 'npm run record-tutorial').toBe(
        stable(readFileSync(TUTORIAL[language], 'utf8'), PROJECT_ROOT),
      );
});
