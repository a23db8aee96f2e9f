/** The hunt in Linux KVM that docs/tutorial/sync-exception.md shows, once more. */
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { KVM_INITRAMFS, recordKvm } from '../../scripts/record-tutorial.ts';
import { haveQemu, kvmInitramfs } from './images.ts';

describe.skipIf(!haveQemu())('a guest of KVM that dies in silence', () => {
  test('the machine stops by itself, explain names the cause, and gdb goes back to it', {
    timeout: 300_000,
  }, async () => {
    writeFileSync(KVM_INITRAMFS, kvmInitramfs());
    const [stop, explain, walk] = await recordKvm();
    expect(stop).toMatch(/\[lvz\] VM 1 loops in exceptions on cpu0: its own vector 0x0 raises INE, for ever/);
    expect(explain).toMatch(
      /^cause {7}g_eentry of VM 1 is 0 \(last written at 0x1c000000, .* its first SYS, at 0x200070/m,
    );
    expect(walk).toMatch(/g_estat .* Ecode=INE/);
    expect(walk).toMatch(/0x1c000000:\tcsrwr +\t\$t0, 0xc\n/);
    expect(walk).toMatch(/Breakpoint 1, make_system_call \(\).*#1 .* guest_main/s);
  });
});
