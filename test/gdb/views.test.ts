/** Views: the machine, guests, the host world; ports of their own; several clients under one run control. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { guestPath, HYPERVISOR } from '../../src/cli/paths.ts';
import { start } from '../../src/cli/run.ts';
import { packSnapshot } from '../../src/cli/snapshots.ts';
import { parseSymbols } from '../../src/cli/symbol-files.ts';
import {
  attachCommands,
  GDBS,
  gdbSession,
  guestSpec,
  machineCli,
  type Session,
  type SessionOptions,
} from '../support/gdb-session.ts';
import { clientsOf, until } from '../support/wait.ts';

describe.each(GDBS)('views with %s', (_name, gdb) => {
  const session = (options: SessionOptions): Promise<Session> => gdbSession({ gdb, ...options });

  describe('of a snapshot, whose programs are not known', () => {
    const folder = mkdtempSync(join(tmpdir(), 'loongscope-views-'));
    const snapshot = join(folder, 'machine');
    const { machine } = boot(undefined, machineCli([guestSpec('hello')]), () => {});
    writeFileSync(snapshot, packSnapshot(machine));
    afterAll(() => rmSync(folder, { recursive: true }));
    const commands = [
      ...['set schedule-multiple on', 'monitor host-view on', 'monitor guests auto on', 'info threads'],
      ...['monitor catch vmexit HVC', 'continue', 'thread apply all print/x $pc', 'info inferiors'],
    ];

    test('gdb has an empty program for processes that are listed by themselves', async () => {
      const { output } = await session({ more: { snapshot }, commands });
      for (const pid of [2, 17]) expect(output).toMatch(new RegExp(`process ${pid} .*unknown-program.elf`));
      expect(output.match(/\$\d = 0x(9000000001004000|200008)/g)).toHaveLength(3);
    });

    test('those of --symbols are their programs', async () => {
      const symbols = [HYPERVISOR, `${guestPath('hello')},in=1`].map(parseSymbols);
      const { output } = await session({ more: { snapshot, symbols }, commands });
      expect(output).toMatch(/process 1 .*\/hv\.elf/);
      expect(output).toMatch(/process 2 .*\/hv\.elf/);
      expect(output).toMatch(/process 17 .*\/hello\.elf/);
      expect(output).toMatch(/hello_hypercall \(\) at/);
    });
  });

  test('the host world alone: its CSRs and the hypervisor’s registers while the guest runs', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      symbols: ['hello'],
      more: { gdbHost: { host: '127.0.0.1', port: 0 } },
      commands: [
        'break hello_mmio',
        'continue',
        ...attachCommands(2, 'build/hv.elf'),
        'info threads',
        'backtrace 2',
        'print $crmd & 0x18',
        'print $world',
        'inferior 1',
        'print $crmd & 0x18',
      ],
    });
    expect(output).toMatch(/Thread 2\.1 "host0" \(host, in VM 1 since tick \d+\)/);
    // Where the hypervisor goes on: behind its call of _run_guest.
    expect(output).toMatch(/#0 .*run \(v=.*\n#1 .*schedule/);
    expect(output).toMatch(/\$1 = 16\n/);
    expect(output).toMatch(/\$2 = 0\n/);
    expect(output).toMatch(/\$3 = 8\n/);
  });

  test('a port for the host world steps over the guest', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      more: { gdbHost: { host: '127.0.0.1', port: 0 } },
      port: 1,
      commands: [
        'break *&_guest_entry',
        'continue',
        'stepi',
        'x/i $pc',
        'print $world',
        'break *0x200024',
        'info threads',
        'delete',
        'detach',
      ],
    });
    // The step ends where the guest has left to.
    expect(output).toMatch(/=> 0x9[0-9a-f]+ <_guest_exit>/);
    expect(output).toMatch(/\$1 = 0\n/);
    expect(output).toMatch(/Thread 1\.1 "host0"/);
  });

  test('guests appear by themselves, and stepping follows the world', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'set schedule-multiple on',
        'monitor guests auto on',
        'monitor follow world on',
        'break handle_exit',
        'continue',
        'delete',
        'info threads',
        // gdb selects a process that it has just found.
        'inferior 1',
        'break *&_guest_entry',
        'continue',
        // Off a breakpoint gdb resumes one thread alone, and takes no other one's stop.
        'delete',
        'stepi',
        'info inferiors',
        'info registers pc',
      ],
    });
    expect(output).toMatch(/\[lvz\] VM 1 \(gid 1\) entered for the first time, on cpu0: process 17/);
    expect(output).toMatch(/Thread 17\.1 "vcpu0"/);
    // With the symbols of the file that the server names.
    expect(output).toMatch(/hello_hypercall \(\) at/);
    expect(output).toMatch(/\[lvz\] VM entry cpu0 -> VM 1 \(thread 17\.1\) pc=0x/);
    expect(output).toMatch(/\* 2 +process 17/);
    expect(output).toMatch(/^pc +0x20000c/m);
    expect(output).not.toMatch(/SIGTRAP/);
  });

  test('steps within a world, and in guests alone', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      symbols: ['hello'],
      commands: [
        'break hello_hypercall',
        'continue',
        'delete',
        'monitor step-mode world',
        'stepi',
        'x/i $pc',
        'monitor step-mode guest',
        'break *&_guest_entry',
        'continue',
        'delete',
        'stepi',
        'print $world',
        'monitor step-mode nope',
      ],
    });
    expect(output).toMatch(/=> 0x20000c <hello_hypercall\+4>/);
    expect(output).toMatch(/\$1 = 1\n/);
    expect(output).toMatch(/one of cpu, world, guest expected/);
  });

  test('vCPUs of one guest are threads of its process, wherever they run', async () => {
    const { output } = await session({
      guests: [guestSpec('smp', 'smp', '', 2)],
      more: { smp: 2 },
      commands: [
        'break handle_exit',
        'ignore 1 300',
        'continue',
        ...attachCommands(17, 'build/guests/smp.elf'),
        'info threads',
        'monitor info vcpus',
        'monitor vcpu-key',
        'monitor vcpu-key gpr:x',
      ],
    });
    expect(output).toMatch(/Thread 17\.1 "vcpu0"/);
    expect(output).toMatch(/Thread 17\.2 "vcpu1"/);
    expect(output).toMatch(/VM 1 vcpu 1: (running|parked)/);
    expect(output).toMatch(/distinguished by gcsr:cpuid/);
    expect(output).toMatch(/'x' is no general register/);
  });

  test('back in a time before a guest ran, its process stays, and forward it comes to life again', async () => {
    const { output } = await session({
      guests: [guestSpec('two', 'a', 'a'), guestSpec('two', 'b', 'b')],
      commands: [
        'monitor catch first-entry in 2',
        'continue',
        'monitor delete catch 1',
        ...attachCommands(18, 'build/guests/two.elf'),
        'break put_dec inferior 2',
        'continue',
        'reverse-stepi 3',
        'print $gid',
        'delete',
        'reverse-continue',
        'info threads',
        'inferior 2',
        'break put_dec inferior 2',
        'continue',
        'print $gid',
      ],
    });
    expect(output).toMatch(/Reached end of recorded history|No more reverse-execution history/);
    expect(output).toMatch(/Thread 18\.1 "vcpu0" \(VM 2 not entered yet\)/);
    expect(output.match(/hit Breakpoint \d.*, put_dec/g)).toHaveLength(2);
    expect(output.match(/^\$\d = 2$/gm)).toHaveLength(2);
  });

  test('two gdbs on one port: a stop of one stops the other, the machine runs when both go on', async () => {
    const running = await start(undefined, machineCli([guestSpec('hello')]), () => {});
    try {
      const port = running.ports[0] as number;
      const run = (commands: readonly string[]): Promise<string> =>
        execa(
          gdb,
          [
            '-nx',
            '-q',
            '-batch',
            ...[
              'set confirm off',
              'file build/hv.elf',
              `target extended-remote 127.0.0.1:${port}`,
              ...commands,
            ].flatMap((c) => ['-ex', c]),
          ],
          {
            reject: false,
            all: true,
            timeout: 30_000,
          },
        ).then((r) => r.all ?? '');
      // Held still until both are there.
      const gate = { running: false, stopped: () => {}, ended: () => {} };
      running.control.attach(gate);
      const both = until(() => clientsOf(running.control).filter((c) => c.running).length === 2).then(() =>
        running.control.detach(gate),
      );
      const [one, two] = await Promise.all([
        run(['break handle_exit', 'continue', 'print $world', 'detach']),
        run(['continue', 'print $pc', 'detach']),
        both,
      ]);
      expect(one).toMatch(/Breakpoint 1, handle_exit/);
      // The other one stops at the same place, without a breakpoint of its own.
      expect(two).toMatch(/(Program|Thread 1\.1 "cpu0") stopped\.\n.*handle_exit/);
    } finally {
      running.control.quit();
      await running.done;
    }
  });
});
