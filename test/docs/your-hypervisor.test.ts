/** docs/your-hypervisor.md shows what really happens, in each language. */
import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { recordYourHypervisor, YOUR_HYPERVISOR } from '../../scripts/record-your-hypervisor.ts';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { stable } from '../support/golden.ts';

test('docs/your-hypervisor.md is what really happens', { timeout: 120_000 }, async () => {
  const fresh = await recordYourHypervisor();
  for (const line of [
    /catch 1: VM entry cpu0 -> VM 1 pc=0x1004000/,
    /=> 0x\w+ <enter_guest\+\d+>:\tertn/,
    /=> 0x1004000 <letters>/,
    /hypercall {3}code 0x1, a0 = 0x61/,
    /hypervisor: tiny \(offsets from the debug information of tiny-hv\.elf\)/,
    /GTLBC\.TGID is still 1/,
    /^VM exit from VM 2 on cpu0: HVC/m,
  ])
    expect(fresh.en).toMatch(line);
  const version = (await execa(await findGdb(), ['--version'])).stdout.split('\n')[0]!;
  // Other versions of gdb say some things in other words.
  if (/ 18\.\d+$/.test(version))
    for (const language of ['en', 'zh-CN'] as const)
      expect(stable(fresh[language], PROJECT_ROOT), 'npm run record-your-hypervisor').toBe(
        stable(readFileSync(YOUR_HYPERVISOR[language], 'utf8'), PROJECT_ROOT),
      );
});
