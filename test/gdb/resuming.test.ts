/** What gdb resumes, and who reports the stop: gdb keeps its own picture of threads and registers, which must never break. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { HELPER } from '../../src/cli/debug.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { attachCommands, GDBS, gdbSession, guestSpec, refused, type SessionOptions } from '../support/gdb-session.ts';

const HELLO = 'build/guests/hello.elf';
const folder = mkdtempSync(join(tmpdir(), 'loongscope-resuming-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(GDBS)('resuming with %s', (_name, gdb) => {
  const session = async (options: SessionOptions): Promise<string> => (await gdbSession({ gdb, ...options })).output;
  const hello = (...commands: string[]): Promise<string> => session({ guests: [guestSpec('hello')], commands });
  const ATTACHED = ['monitor catch first-entry', 'continue', ...attachCommands(17, HELLO)];

  test('a breakpoint of the hypervisor is reported by the guest when gdb resumes the guest alone', async () => {
    const output = await hello(
      'break _run_guest',
      'continue',
      'continue',
      ...attachCommands(17, HELLO),
      'continue',
      'inferior 1',
      'x/i $pc',
    );
    expect(output).toMatch(/\[lvz\] process 1 has stopped, thread 1\.1 at pc=0x[0-9a-f]+; gdb has resumed process 17/);
    expect(output).toMatch(/'set schedule-multiple on'/);
    expect(output).toMatch(/Thread 2\.1 "vcpu0" stopped/);
    expect(output).toMatch(/=> 0x[0-9a-f]+ <_run_guest>:/);
    // It goes on from a breakpoint that it does not step over, and that is no dprintf.
    expect(output).not.toMatch(/has sent no command/);
  });

  test('a breakpoint where no instruction begins keeps nobody from going on, and is said to be never hit, once', async () => {
    const output = await hello(
      'break *-1',
      'break _run_guest',
      'continue',
      'reverse-finish',
      'reverse-finish',
      'continue',
    );
    expect(
      output.match(/the breakpoint at 0xffffffffffffffff is never hit: instructions begin at multiples of 4/g),
    ).toHaveLength(1);
    expect(output).toMatch(/Breakpoint 2, _run_guest/);
    expect(output).not.toMatch(/Cannot insert|internal-error/);
  });

  test('with schedule-multiple the hypervisor reports its own breakpoint', async () => {
    const output = await hello(
      'set schedule-multiple on',
      'break _run_guest',
      'continue',
      'continue',
      ...attachCommands(17, HELLO),
      'continue',
    );
    expect(output).not.toMatch(/has stopped, thread/);
    expect(output).toMatch(/Thread 1\.1 "cpu0" hit Breakpoint 1/);
  });

  test('a gdb that comes to a running VM, and continues there, sees the stops of the hypervisor', async () => {
    const snapshot = join(folder, 'entered');
    const files = folder;
    await session({
      guests: [guestSpec('hello')],
      more: { files },
      commands: ['monitor catch first-entry', 'continue', 'monitor snapshot save entered'],
    });
    const wait = ['set schedule-multiple on', 'break handle_exit'];
    const byHand = await session({
      more: { snapshot },
      commands: [
        ...wait,
        ...attachCommands(17, HELLO),
        'continue',
        'info threads',
        ...['inferior 1', 'x/i $pc', 'stepi', 'continue', 'inferior 2', 'continue', 'x/i $pc'],
      ],
    });
    expect(byHand).toMatch(/\[lvz\] process 1 has stopped, thread 1\.1 at pc=0x[0-9a-f]+\. gdb would not show it/);
    expect(byHand).toMatch(/Thread 2\.1 "vcpu0" stopped/);
    expect(byHand.match(/Thread 1\.1 "cpu0" hit Breakpoint 1, handle_exit/g)).toHaveLength(3);
    expect(byHand.match(/=> 0x[0-9a-f]+ <handle_exit/g)).toHaveLength(2);

    // gdb reads memory in process 1 for a breakpoint, and all registers for a list: process 2 is its current one all the same.
    const looked = await session({
      more: { snapshot },
      commands: [
        'set schedule-multiple on',
        ...attachCommands(17, HELLO),
        ...['inferior 2', 'thread apply all backtrace 1', 'break handle_exit', 'continue', 'info threads'],
      ],
    });
    expect(looked).toMatch(/gdb would not show it.*\n.*after 'stepi' in its inferior/);
    expect(looked).toMatch(/Thread 2\.1 "vcpu0" stopped/);

    const helped = await session({
      more: { snapshot },
      commands: [...wait, `source ${HELPER}`, `lvz attach 1 ${HELLO}`, 'continue'],
    });
    expect(helped).toMatch(/Thread 1\.1 "cpu0" hit Breakpoint 1, handle_exit/);
    expect(helped).not.toMatch(/has stopped, thread/);
  });

  test('guests that list themselves do not end gdb', async () => {
    const output = await session({
      guests: [guestSpec('two', 'a', 'a'), guestSpec('two', 'b', 'b')],
      commands: [
        'monitor guests auto on',
        'break _guest_exit',
        'continue',
        'continue',
        'continue',
        'thread 1.1',
        'maint flush register-cache',
        'x/i $pc',
      ],
    });
    expect(output).toMatch(/=> 0x[0-9a-f]+ <_guest_exit>/);
  });

  test('back from the first instruction of a guest, there is nothing before', async () => {
    const output = await hello(...ATTACHED, 'reverse-stepi', 'x/i $pc', 'stepi', 'x/i $pc');
    expect(output).toMatch(/No more reverse-execution history|end of recorded history/);
    expect(output.match(/=> 0x[0-9a-f]+ <_start/g)).toHaveLength(2);
  });

  test('back in process 1, where an attached guest stands on its breakpoint', async () => {
    const output = await hello(
      ...ATTACHED,
      'set schedule-multiple on',
      'break *0x200008',
      'continue',
      'inferior 1',
      'reverse-stepi',
      'x/i $pc',
      'info threads',
    );
    // gdb steps the guest off its breakpoint first, and this moves the CPU, too.
    expect(output).toMatch(/=> 0x20000[04][ :]/);
    expect(output).toMatch(/^\* 1\.1 .*VM 1 PLV0/m);
    expect(output).not.toMatch(/end of recorded history|No more reverse-execution history/);
  });

  test('back in a guest over the hypervisor, and on to the catch before', async () => {
    const output = await hello(
      ...ATTACHED,
      'stepi 3',
      'x/i $pc',
      'reverse-stepi',
      'x/i $pc',
      'reverse-stepi',
      'x/i $pc',
      'reverse-continue',
      'x/i $pc',
    );
    const places = [...output.matchAll(/=> 0x([0-9a-f]+)/g)].map((m) => m[1]);
    expect(places).toEqual(['20000c', '200008', '200004', '200000']);
  });

  test('back to a catch where a copy of the machine was made', async () => {
    // The way back and forth makes one at the catch.
    const output = await hello(...ATTACHED, 'reverse-stepi', 'stepi 3', 'reverse-continue', 'x/i $pc');
    expect(output).toMatch(/=> 0x200000 <_start>/);
  });

  test('where the past begins, a step off a breakpoint of the hypervisor does not end the session', async () => {
    const output = await hello(
      'break *&_guest_exit',
      'continue',
      ...attachCommands(17, HELLO),
      'set schedule-multiple on',
      'monitor reverse on',
      'reverse-stepi',
      'delete',
      'tbreak handle_exit',
      'inferior 1',
      'tbreak handle_exit',
      'continue',
    );
    expect(output).toMatch(/Thread 1\.1 "cpu0" hit Temporary breakpoint \d+, handle_exit/);
  });

  test('the end of the machine is told of a process that gdb has', async () => {
    const output = await hello(
      'monitor catch first-entry',
      'continue',
      'monitor delete catch 1',
      'attach 17',
      'continue',
    );
    expect(output).toMatch(/\[Inferior 1 \(process 17\) exited normally\]/);
  });

  test('functions of the machine can be called, also in conditions', async () => {
    const fib = (n: number): string => `((unsigned long (*)(unsigned long)) fib)(${n})`;
    const output = await session({
      image: readFileSync(join(PROJECT_ROOT, 'build', 'bench', 'calls.elf')),
      commands: [
        'break fib',
        'continue',
        'delete',
        `print ${fib(10)}`,
        `break ack if ${fib(5)} == 5`,
        'continue',
        `print ${fib(7)}`,
        refused('set $world = 5'),
      ],
    });
    expect(output).toMatch(/\$1 = 55\n/);
    expect(output).toMatch(/Breakpoint 2, .*ack/);
    expect(output).toMatch(/\$2 = 13\n/);
    expect(output).toMatch(/refused: .*world is read-only/);
  });

  test('a step from a place where the thread is not any more is not made', async () => {
    const output = await hello(
      'break _run_guest',
      'continue',
      'continue',
      ...attachCommands(17, HELLO),
      'delete',
      'stepi',
      'inferior 1',
      'x/i $pc',
      'stepi',
      'x/i $pc',
    );
    expect(output).toMatch(/\[lvz\] process 1 has run since gdb read its registers\. Nothing was executed/);
    const places = [...output.matchAll(/=> 0x([0-9a-f]+) </g)].map((m) => m[1]);
    expect(places[0]).not.toBe(places[1]);
  });

  test('device registers can be written when that is allowed', async () => {
    const { output, console } = await gdbSession({
      gdb,
      guests: [guestSpec('hello')],
      commands: [
        refused('set *(char*)0x1fe001e0 = 65'),
        'monitor mmio-write on',
        'set *(char*)0x1fe001e0 = 65',
        refused('set *(int*)0x1ff00000 = 65'),
      ],
    });
    expect(output.match(/^refused: Cannot access memory/gm)).toHaveLength(2);
    expect(console).toMatch(/^A/);
  });
});
