/** The world-switch auditor: quiet on the reference hypervisor, loud on its broken variants. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DEFAULT_MACHINE, parseGuest } from '../../src/cli/options.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { start } from '../../src/cli/run.ts';

const TWO = ['two,name=a,append=a', 'two,name=b,append=b'];

/** What an audited run finds: the summary, then a line a finding. */
async function audit(
  guests: readonly string[],
  options: { variant?: string; smp?: number } = {},
): Promise<readonly string[]> {
  const running = await start(
    undefined,
    {
      ...DEFAULT_MACHINE,
      guest: guests.map(parseGuest),
      smp: options.smp ?? 1,
      serial: { kind: 'null' },
      audit: 'worldswitch',
      maxInstructions: 8_000_000,
      quiet: true,
      ...(options.variant && { hypervisor: join(PROJECT_ROOT, 'build', 'variants', `${options.variant}.elf`) }),
    },
    () => {},
  );
  await running.done;
  return running.control.audit!();
}

describe('the reference hypervisor', () => {
  test.each([
    ['hello', 1],
    ['privileged', 1],
    ['paging', 1],
    ['timer', 1],
    ['virtio', 1],
    ['storm', 1],
    ['smp,vcpus=2', 1],
    ['smp,vcpus=4', 2],
  ])('has nothing to hide with %s on %i CPUs', async (guest, smp) => {
    const found = await audit([guest], { smp });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^\d+ guest entries, nothing found$/);
  });

  test('nor with two guests', async () => {
    expect(await audit(TWO)).toHaveLength(1);
    expect(await audit(TWO, { smp: 2 })).toHaveLength(1);
  });

  test('a guest’s own omission is told apart', async () => {
    expect((await audit(['crash'])).slice(1)).toEqual([
      expect.stringMatching(/^CSR never initialised: VM 1 took SYS at .*<make_system_call.* never wrote EENTRY/),
    ]);
  });
});

/** Each variant with a text that must be found, and the guests that show it. */
const VARIANTS: Readonly<Record<string, readonly [expected: RegExp, guests: readonly string[]]>> = {
  'forget-s0': [/host register: \$s0 came back different: 0x9.* at 0x9.*<schedule/, TWO],
  'forget-pgm': [/host CSR: GSTAT\.PGM is still 1/, TWO],
  'forget-tgid': [/host CSR: GTLBC\.TGID is still 1/, TWO],
  'wrong-tgid': [/control register: .*<_guest_entry> GTLBC\.TGID is 0 and the guest's GID 1/, TWO],
  'forget-eentry': [/host CSR: EENTRY came back different/, TWO],
  'interrupts-off': [/control register: .*PRMD\.PIE = 0: host interrupts are off/, TWO],
  'unwritten-register': [/never-written memory: .*<_run_guest\+0x10c> loads \$t8 .*physical 0xf00000/, TWO],
  'clobber-fp': [/host register: \$f24 came back different/, TWO],
  'forget-bank': [/guest CSR left over: .*g_save3 = 0x101010101010101 as VM 1 vcpu 0 left it/, TWO],
  'forget-invtlb': [
    /stale stage-2 entry: a guest was entered on cpu0 with a TLB entry of VM 1 for GPA 0x[0-9a-f]+ that its table no longer has: at that time .*; an invtlb is missing/,
    ['paging'],
  ],
  // Manual: 5.4.4
  'double-fill': [
    /two TLB entries: tlbfill at 0x[0-9a-f]+ <.*> fills 0x[0-9a-f]+ \(stage 2 of VM 1\), which the TLB already maps/,
    ['hello'],
  ],
  'read-unset': [/CSR never initialised: the host reads SAVE5 at .*<_run_guest/, TWO],
};

describe('broken variants', () => {
  test('each has its expectation', () => {
    const files = readdirSync(join(PROJECT_ROOT, 'test', 'audit', 'variants')).map((f) => f.replace('.sed', ''));
    expect(files.sort()).toEqual(Object.keys(VARIANTS).sort());
  });

  test.each(Object.entries(VARIANTS))('%s is found', async (variant, [expected, guests]) => {
    const found = (await audit(guests, { variant })).slice(1);
    expect(found.join('\n')).toMatch(expected);
    // One mistake, few findings: nothing that is right is blamed.
    expect(found.length).toBeLessThanOrEqual(2);
  });
});
