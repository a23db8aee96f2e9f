/** The sessions of docs/gdb.md show what the debugger says today; the one with KVM is compared by its commands. */
import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { PAGE, recordGdbPage } from '../../scripts/record-gdb.ts';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { stable } from '../support/golden.ts';

test('docs/gdb.md is what really happens', { timeout: 120_000 }, async () => {
  const fresh = await recordGdbPage(false);
  for (const line of [
    /VM exit from VM 1 on cpu0: HVC: hypercall/,
    /reverse-continue\n\nBreakpoint 3, hello_hypercall/,
    /registers from the reference hypervisor's context/,
    /hypervisor: Linux KVM \(offsets from the debug information of vmlinux\)/,
    /hypervisor: tiny \(offsets from the debug information of tiny-hv\.elf\)/,
    /VM 1 vcpu 0: parked, last on cpu0 at 0x1004008 \(tiny's context\)/,
    /#0 +hypervisor \(\) at .*tiny\.c:\d+\n#1 .* in _start \(\)/,
  ])
    expect(fresh).toMatch(line);
  const version = (await execa(await findGdb(), ['--version'])).stdout.split('\n')[0]!;
  // Other versions of gdb say some things in other words.
  if (/ 18\.\d+$/.test(version))
    expect(stable(fresh, PROJECT_ROOT), 'npm run record-gdb').toBe(stable(readFileSync(PAGE, 'utf8'), PROJECT_ROOT));
});
