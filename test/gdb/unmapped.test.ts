/** Pages that the hypervisor has not mapped yet, or has removed: code and memory as far as the machine can know them. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import {
  attachCommands,
  GDBS,
  gdbSession,
  guestSpec,
  refused,
  type Session,
  type SessionOptions,
} from '../support/gdb-session.ts';

/** Maps a page of a guest when it is first touched. */
const LAZY = join(PROJECT_ROOT, 'build', 'variants', 'lazy.elf');

describe.each(GDBS)('pages that are not mapped, with %s', (_name, gdb) => {
  const session = (options: SessionOptions): Promise<Session> => gdbSession({ gdb, ...options });
  const lazy = (commands: readonly string[]): Promise<Session> =>
    session({
      guests: [guestSpec('hello')],
      more: { hypervisor: LAZY },
      commands: [`symbol-file ${LAZY}`, 'break *&_guest_entry', 'continue', 'delete', ...commands],
    });

  test('the first instruction of a guest: a step goes on to the hypervisor, and back again', async () => {
    const { output } = await lazy([
      'stepi',
      'print $world',
      refused('x/i $pc'),
      'backtrace 1',
      'info threads',
      'stepi',
      'x/i $pc',
      'print $exit_reason',
      'reverse-stepi',
      'print/x $pc',
      'nexti',
      'x/i $pc',
      'monitor catch ertn',
      'continue',
      'x/2i $pc',
      'monitor delete catch 1',
      'stepi',
      'x/i $pc',
    ]);
    // Each time that it stands there: after the step, and back again.
    expect(
      output.match(
        /^\[lvz\] thread 1\.1: the instruction at PC 0x200000 is not known \(stage 2: .*\)\. gdb reads 0xffffffff for it, so that it can step\.$/gm,
      ),
    ).toHaveLength(2);
    expect(output).toMatch(/\$1 = 1\n/);
    expect(output).toMatch(/refused: Cannot access memory at address 0x200000/);
    expect(output).toMatch(/#0 +0x0+200000/);
    // The hypervisor's vector, because of a fetch (PIF).
    expect(output.match(/^=> 0x9\w+ <_guest_exit>:/gm)).toHaveLength(2);
    expect(output).toMatch(/\$2 = 3\n/);
    expect(output).toMatch(/\$3 = 0x200000\n/);
    // After the hypervisor has mapped the page.
    expect(output).toMatch(/^=> 0x200000:\t[^.]/m);
    expect(output).toMatch(/^=> 0x200004:\t/m);
  });

  // gdb reads the value of the watchpoint between its question for the instruction and the step over the breakpoint.
  test('a step over a breakpoint at the first instruction, with a watchpoint on the same place', async () => {
    const { output } = await lazy([
      'stepi',
      'break *$pc',
      'watch -l *(long *) $pc',
      refused('stepi'),
      'delete',
      'print $exit_reason',
      'reverse-stepi',
      'print/x $pc',
    ]);
    expect(output).not.toMatch(/^refused:/m);
    expect(output).toMatch(/\$1 = 3\n/);
    expect(output).toMatch(/\$2 = 0x200000\n/);
  });

  test('in the process of the guest, a step ends at its next instruction', async () => {
    const { output } = await lazy([
      'stepi',
      ...attachCommands(17, 'build/guests/hello.elf'),
      'stepi',
      'x/i $pc',
      'stepi',
      'x/i $pc',
      'tbreak hello_mmio',
      'continue',
      'backtrace 1',
    ]);
    expect(output).toMatch(/^=> 0x200004 <.*>:\t/m);
    expect(output).toMatch(/^=> 0x200008 <.*>:\t/m);
    expect(output).toMatch(/#0 +hello_mmio/);
  });

  test('a page that the hypervisor has taken back reads as it was last, and says so', async () => {
    const { output } = await session({
      guests: [guestSpec('paging')],
      commands: [
        'break stage2_unmap',
        'continue',
        'finish',
        ...attachCommands(17, 'build/guests/paging.elf'),
        'print *(long *) ((char *) &first + 40)',
        'python gdb.execute("monitor translate %#x" % int(gdb.parse_and_eval("&first")))',
        refused('set var *(long *) ((char *) &first + 40) = 5'),
      ],
    });
    expect(output).toMatch(/\$1 = 2\n/);
    expect(output).toMatch(
      /^stage 2: last valid translation, at instruction \d+: GPA 0x\w+ was at 0x\w+; the host has since removed it$/m,
    );
    expect(output).toMatch(/^0x\w+ does not translate, was at physical 0x\w+$/m);
    // What is there now belongs to the hypervisor.
    expect(output).toMatch(/refused: Cannot access memory/);
  });
});
