/** The Python helper, the example files, `loongscope debug`: each really run. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { gdbArguments } from '../../src/cli/debug.ts';
import { guestPath, HYPERVISOR, PROJECT_ROOT } from '../../src/cli/paths.ts';
import { start } from '../../src/cli/run.ts';
import { GDBS, gdbSession, guestSpec, machineCli, refused } from '../support/gdb-session.ts';

const EXAMPLES = join(PROJECT_ROOT, 'docs', 'examples');

describe.each(GDBS)('comfort with %s', (_name, gdb) => {
  test('the Python helper: catch, break, attach, step, world in the frames, fresh registers', async () => {
    const { output } = await gdbSession({
      gdb,
      guests: [guestSpec('hello')],
      commands: [
        'source src/gdbstub/python/lvz.py',
        'lvz catch exit HVC if $gid == 1',
        'continue',
        'backtrace 1',
        'lvz why',
        'lvz csr diff',
        'lvz attach 1 build/guests/hello.elf',
        'lvz world',
        'backtrace 1',
        'delete',
        'lvz break 1 hello_mmio',
        'continue',
        'stepi',
        'info registers pc',
        'inferior 1',
        'lvz worlds',
        'lvz stats on',
        'lvz history 2',
        'lvz vcpus',
        'lvz context',
        'lvz tlb 1',
        'lvz translate 0x200000 in 1',
        'lvz exits',
        'lvz vms',
        'delete',
        'monitor reset',
        'print/x $pc',
      ],
    });
    for (const line of [
      /Catchpoint 1 \(call to syscall 3023\)/,
      /#0 +\[host\] _guest_exit/,
      /hypercall +code 0x100/,
      /CRMD +host 0x10 +guest 0x8/,
      /^VM 1$/m,
      /#0 +\[VM 1\] hello_hypercall/,
      /Breakpoint 2, .*hello_mmio|Breakpoint 2\.\d, .*hello_mmio|hit Breakpoint 2.*hello_mmio/,
      /^pc +0x200028/m,
      /cpu0: VM 1 \(gid 1, process 17\)/,
      /-> physical 0x1200000/,
      /VM 1: process 17, gid 1/,
      // It reads the registers again after a monitor command.
      /machine reset\n(.*\n)*?\$\d+ = 0x1000000$/m,
    ])
      expect(output).toMatch(line);
    expect(output).not.toMatch(/Python Exception|Traceback/);
  });

  test('the helper says what is wrong', async () => {
    const { output } = await gdbSession({
      gdb,
      guests: [guestSpec('hello')],
      commands: [
        'source src/gdbstub/python/lvz.py',
        ...['lvz attach', 'lvz attach 9', 'lvz catch', 'lvz catch exit NOPE', 'lvz break here', 'lvz csr'].map(refused),
        'info inferiors',
        'lvz attach 9',
      ],
    });
    expect(output).not.toMatch(/Python Exception/);
    expect(output.match(/refused: /g)).toHaveLength(6);
    expect(output).toMatch(/there is no process 25/);
    expect(output).toMatch(/no event 'exit NOPE': see 'info os catchpoints'/);
    // What an attach that failed has added is gone.
    expect(output).not.toMatch(/^ *2 +/m);
  });

  test('loongscope debug loads symbols for the host and knows each guest’s file', async () => {
    const guests = ['hello', 'crash'].map((g) => guestSpec(g));
    const running = await start(undefined, machineCli(guests), () => {});
    const args = gdbArguments(`127.0.0.1:${running.ports[0]}`, HYPERVISOR, [guestPath('hello'), guestPath('crash')]);
    const { all } = await execa(
      gdb,
      [
        '-nx',
        '-batch',
        ...args,
        ...[
          'monitor catch first-entry in 2',
          'continue',
          'lvz attach 2',
          'info symbol make_system_call',
          'info registers pc',
        ].flatMap((c) => ['-ex', c]),
      ],
      {
        all: true,
        reject: false,
        cwd: PROJECT_ROOT,
        timeout: 60_000,
      },
    );
    running.control.quit();
    await running.done;
    expect(all).toMatch(/make_system_call in section \.text/);
    expect(all).toMatch(/pc +0x200000/);
    expect(all).not.toMatch(/Traceback|Python Exception/);
  });

  test('functions of the hypervisor are called, and its registers are as before', async () => {
    const { output } = await gdbSession({
      gdb,
      guests: [guestSpec('hello')],
      commands: [
        `file ${HYPERVISOR}`,
        ...['break handle_hypercall', 'continue', 'set $before = $ra', 'print memset($sp - 64, 7, 8) == $sp - 64'],
        ...['x/gx $sp - 64', 'print $ra == $before', 'info registers pc'],
      ],
    });
    expect(output).toMatch(/^\$1 = 1$/m);
    expect(output).toMatch(/0x0707070707070707/);
    expect(output).toMatch(/^\$2 = 1$/m);
    expect(output).toMatch(/pc .*<handle_hypercall/);
  });

  test('the example .gdbinit', async () => {
    const running = await start(undefined, machineCli([guestSpec('hello')]), () => {});
    const text = readFileSync(join(EXAMPLES, 'gdbinit'), 'utf8').replace(
      '127.0.0.1:1234',
      `127.0.0.1:${running.ports[0]}`,
    );
    const folder = mkdtempSync(join(tmpdir(), 'loongscope-gdbinit-'));
    const script = join(folder, 'gdbinit');
    writeFileSync(script, text);
    const { all } = await execa(
      gdb,
      ['-nx', '-q', '-batch', '-x', script, '-ex', 'into-guest', '-ex', 'exits', '-ex', 'continue', '-ex', 'lvz why'],
      {
        all: true,
        reject: false,
        cwd: PROJECT_ROOT,
        timeout: 60_000,
      },
    );
    running.control.quit();
    await running.done;
    rmSync(folder, { recursive: true, force: true });
    expect(all).toMatch(/_start \(\) at|0x200000/);
    expect(all).toMatch(/VM exit cpu0 in VM 1: PIS/);
    expect(all).toMatch(/GPA 0x1fe001e0 is the uart0 on this board's own map: an MMIO access/);
  });

  test.each([0, 1])(
    'configuration %i of the example launch.json, by the MI commands that an editor sends',
    async (n) => {
      const { configurations } = JSON.parse(readFileSync(join(EXAMPLES, 'launch.json'), 'utf8')) as {
        configurations: { program: string; miDebuggerServerAddress: string; setupCommands: { text: string }[] }[];
      };
      const c = configurations[n]!;
      const running = await start(
        undefined,
        machineCli([guestSpec('hello')], {
          gdbGuest: [{ vm: 1, vcpu: undefined, address: { host: '127.0.0.1', port: 0 } }],
        }),
        () => {},
      );
      // The other port's client would hold the machine: none is connected.
      expect(c.miDebuggerServerAddress).toBe(`127.0.0.1:${1234 + n}`);
      const program = c.program.replace(/^\$\{workspaceFolder\}/, PROJECT_ROOT);
      const input = [
        ...c.setupCommands.map((s) => `-interpreter-exec console "${s.text}"`),
        `-file-exec-and-symbols ${program}`,
        `-target-select remote 127.0.0.1:${running.ports[n]}`,
        `-break-insert ${n === 0 ? 'handle_exit' : 'hello_mmio'}`,
        '-exec-continue',
      ];
      const child = execa(gdb, ['-nx', '-q', '--interpreter=mi3'], {
        reject: false,
        cwd: PROJECT_ROOT,
        timeout: 60_000,
      });
      let seen = '';
      child.stdout.on('data', (d: Buffer) => {
        const before = seen;
        seen += d.toString();
        if (!/\*stopped,reason="breakpoint-hit"/.test(before) && /\*stopped,reason="breakpoint-hit"/.test(seen))
          child.stdin.write('-stack-list-frames\n-data-evaluate-expression $world\n-gdb-exit\n');
      });
      child.stdin.write(`${input.join('\n')}\n`);
      await child;
      running.control.quit();
      await running.done;
      expect(seen).toMatch(/\*stopped,reason="breakpoint-hit"/);
      expect(seen).toMatch(n === 0 ? /func="handle_exit"/ : /func="hello_mmio"/);
      expect(seen).toMatch(new RegExp(`value="${n}"`));
    },
  );
});
