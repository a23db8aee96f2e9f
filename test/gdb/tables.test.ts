/** Monitor commands that list tables, and those with QEMU's names. */
import { beforeAll, describe, expect, test } from 'vitest';
import { gdbSession, guestSpec } from '../support/gdb-session.ts';

describe('what tables map, and QEMU’s names', () => {
  let output: string;
  beforeAll(async () => {
    ({ output } = await gdbSession({
      guests: [guestSpec('paging')],
      commands: [
        'monitor info stage2',
        'monitor catch exception in 1',
        'monitor catch vmexit PIS',
        'continue',
        'monitor info stage2',
        'monitor info stage2 1',
        'monitor info stage2 7',
        'monitor info pagetable 1',
        'monitor info pagetable',
        'monitor info registers',
        'monitor info mtree',
        'monitor xp /6xw 0x1000000',
        'monitor xp /2g 0x1000000',
        'monitor xp 0x90000000000',
        'monitor xp /9999999 0',
        'monitor xp /4y 0',
        'monitor system_reset',
        'maint flush register-cache',
        'print/x $pc',
      ],
    }));
  });

  test('stage 2 of a VM', () => {
    expect(output).toMatch(/which VM\? None is selected/);
    const listed =
      /stage-2 table of VM 1 at 0x[0-9a-f]+: 1 ranges\n {2}0x200000-0x11fffff -> 0x1200000 {2}pages of 2\^20, V D/g;
    expect(output.match(listed)).toHaveLength(2);
    expect(output).toMatch(/VM 7 has not run yet/);
  });

  test('the page tables of a guest, its huge page included, and those of the host', () => {
    expect(output).toMatch(
      /lower half \(PGDL\) at 0x[0-9a-f]+: [3-9] ranges\n {2}0x0-0xffffff -> 0x0 {2}pages of 2\^20/,
    );
    expect(output).toMatch(/ -> 0x800000 {2}pages of 2\^20/);
    expect(output).toMatch(/upper half \(PGDH\) at 0x0: nothing is mapped/);
  });

  test('registers, the map of memory, and memory', () => {
    expect(output).toMatch(/^pc=[0-9a-f]{16}\nr0 {2}zero 0{16} {2}r1 {2}ra {3}[0-9a-f]{16}/m);
    expect(output).toMatch(/^CRMD {6}[0-9a-f]{16} {2}PRMD/m);
    expect(output).toMatch(/^0{16}-0{8}0fffffff ram\n0{8}10000000-0{8}100003ff pch-pic$/m);
    const words = /^0000000001000000: ((?:0x[0-9a-f]{8} ?){4})\n0000000001000010: (?:0x[0-9a-f]{8} ?){2}$/m.exec(
      output,
    );
    const [low, high] = words![1]!.split(' ');
    expect(output).toContain(`0000000001000000: 0x${high!.slice(2)}${low!.slice(2)} 0x`);
    expect(output).toMatch(/0x90000000000 is no RAM/);
    expect(output).toMatch(/at most 0x4000 bytes at a time/);
    expect(output).toMatch(/write xp \/4xw 0x1000, with b, h, w or g\nusage: monitor xp /);
    expect(output).toMatch(/machine reset\n[\s\S]*\$1 = 0x1000000/);
  });
});
