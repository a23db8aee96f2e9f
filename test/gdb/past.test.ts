/** Questions to the past: which instruction wrote or executed something last, and how often. */
import { describe, expect, test } from 'vitest';
import { comparing } from '../../src/emu/debug/past-difference.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { GDBS, gdbSession, guestSpec } from '../support/gdb-session.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

describe.each(GDBS)('questions to the past with %s', (_name, gdb) => {
  test('memory, CSRs, registers and instructions, and the machine is where it was', async () => {
    const { output } = await gdbSession({
      guests: [guestSpec('hello')],
      gdb,
      commands: [
        'break handle_exit',
        ...['continue', 'continue', 'continue', 'delete'],
        'set $now = $icount',
        'set $exits = v->exits',
        // The statement of the breakpoint has counted the exits: the second one twice back.
        'eval "monitor when write %#lx in host", &v->exits',
        'eval "monitor count write %#lx in host", &v->exits',
        'eval "monitor when exec %#lx", handle_exit',
        'eval "monitor count exec %#lx in host", handle_exit',
        'eval "monitor count exec %#lx in host from 0 to 1000", handle_exit',
        'monitor when write gstat',
        'monitor when write $sp',
        'monitor when exec 0x200000 in 1',
        'monitor when write phys 0xfff0000',
        'monitor when write',
        'monitor when write nonsense',
        'monitor when exec 0x200002',
        'monitor count write $a0',
        'eval "monitor diff %d %d", $now - 1, $now',
        'monitor diff 0 99999999999',
        'monitor diff 5',
        'print $icount == $now && v->exits == $exits',
      ],
    });
    const answers = output.split(/^\(gdb\) /m);
    const answer = (command: RegExp): string => answers.find((a) => command.test(a)) ?? '';
    expect(answer(/^eval "monitor when write/)).toMatch(
      /\{\d+\} cpu0 in the host at 0x9\w+ <handle_exit\+\w+>: 0x1 -> 0x2\n'monitor goto \d+' goes there/,
    );
    expect(answer(/^eval "monitor count write/)).toMatch(/\d+ times from instruction 0 to \d+/);
    expect(answer(/^eval "monitor when exec/)).toMatch(/\{\d+\} cpu0 in the host at 0x9\w+ <handle_exit>\n/);
    expect(answer(/^eval "monitor count exec .* in host",/)).toMatch(/3 times from instruction 0 to \d+/);
    expect(answer(/^eval "monitor count exec .* to 1000"/)).toMatch(/0 times from instruction 0 to 1000/);
    expect(answer(/^monitor when write gstat/)).toMatch(/in the host at 0x9\w+ <_guest_exit\+\w+>: 0x\w+ -> 0x\w+/);
    expect(answer(/^monitor when write \$sp/)).toMatch(/in the host at 0x9\w+ <\w+(\+\w+)?>: 0x\w+ -> 0x\w+/);
    expect(answer(/^monitor when exec 0x200000 in 1/)).toMatch(/\{\d+\} cpu0 in VM 1 at 0x200000/);
    expect(answer(/^monitor when write phys/)).toMatch(/not since instruction 0, as far as this is kept/);
    expect(answer(/^monitor when write\n/)).toMatch(/an address, a CSR or a register expected\nusage: monitor when/);
    expect(answer(/^monitor when write nonsense/)).toMatch(/unknown CSR 'nonsense'/);
    expect(answer(/^monitor when exec 0x200002/)).toMatch(/0x200002 is no address of an instruction/);
    expect(answer(/^monitor count write \$a0/)).toMatch(/writes of general registers are not counted/);
    // The store that counts the exit comes next; before it, one register was loaded.
    expect(answer(/^eval "monitor diff/)).toMatch(/\ncpu0 pc +0x9\w+ -> 0x9\w+\n/);
    expect(answer(/^eval "monitor diff/)).toMatch(/registers and \d+ pages of memory differ/);
    expect(answer(/^monitor diff 0/)).toMatch(/99999999999 is not kept: use 0 to \d+/);
    expect(answer(/^monitor diff 5/)).toMatch(/two instruction counts expected/);
    expect(answer(/^print/)).toMatch(/= 1\n/);
  });
});

test('a CSR in a VM is the VM’s own, with or without the prefix', async () => {
  const { output } = await gdbSession({
    guests: [guestSpec('privileged')],
    gdb: GDBS[0]![1],
    commands: [
      'monitor catch vmexit GSPR',
      'continue',
      'monitor when write EENTRY in 1',
      'monitor when write g_eentry in 1',
      'monitor when write EENTRY',
    ],
  });
  const [own, prefixed, host] = output.split(/^\(gdb\) monitor when write /m).slice(1);
  expect(own).toMatch(/\{\d+\} cpu0 in VM 1 at 0x200\w+/);
  expect(prefixed?.split('\n')[1]).toBe(own?.split('\n')[1]);
  expect(host).toMatch(/\{\d+\} cpu0 in the host at 0x9/);
});

describe.each(GDBS)('dprintf with the style agent and %s', (_name, gdb) => {
  test('lines are told without a stop, also with a condition, and again in a past that is run again', async () => {
    const { output } = await gdbSession({
      guests: [guestSpec('hello')],
      gdb,
      commands: [
        'set dprintf-style agent',
        'dprintf handle_exit,"exit of %s, gid %d, at %#lx\\n",&v->vm->name[0],v->vm->gid,v',
        'dprintf handle_hypercall,"hypercall %ld\\n",$a0',
        'condition 2 $a0 == 0',
        'hbreak power_off',
        'continue',
        'monitor reverse',
        'tbreak main',
        'reverse-continue',
        'continue',
        'info breakpoints',
      ],
    });
    const [before, forwards, , , backwards, again, list] = output.split(
      /^\(gdb\) (?=continue|monitor|tbreak|reverse-|info)/m,
    );
    expect(before).not.toMatch(/not supported|warning/i);
    const lines = (text: string | undefined): string[] =>
      text!.match(/^exit of hello, gid 1, at 0x9[0-9a-f]+$/gm) ?? [];
    expect(lines(forwards).length).toBeGreaterThan(10);
    expect(forwards).toMatch(/Breakpoint 3(\.\d)?, power_off/);
    expect(forwards).not.toMatch(/hypercall/);
    expect(lines(backwards)).toEqual([]);
    expect(lines(again)).toEqual(lines(forwards));
    expect(list).toMatch(/dprintf/);
  });

  test('what cannot be done on the target is said, and the machine goes on', async () => {
    const { output } = await gdbSession({
      guests: [guestSpec('hello')],
      gdb,
      commands: [
        'set dprintf-style agent',
        'dprintf handle_hypercall,"%f\\n",1',
        // gdb cannot translate an array, and sends a breakpoint without a command.
        'dprintf *handle_exit,"%s\\n",v->vm->name',
        'hbreak power_off',
        'continue',
      ],
    });
    expect(output).toMatch(/gdb has sent no command for the breakpoint at 0x9\w+: it cannot translate its expressions/);
    expect(output).toMatch(/the command of the breakpoint at 0x9\w+ cannot be done on the target/);
    expect(output).toMatch(/Breakpoint 3(\.\d)?, power_off/);
  });
});

describe.each(GDBS)('logs of events with %s', (_name, gdb) => {
  test('events are told without a stop; what stops comes first; conditions', async () => {
    const { output } = await gdbSession({
      guests: [guestSpec('hello')],
      gdb,
      commands: [
        'monitor log vmexit PIS in 1',
        'monitor log csr-write gstat if r0 == 0',
        'monitor log vmexit if a0 == 0x123456789',
        'monitor log everything',
        'monitor log vmexit if',
        'monitor log vmexit if pc == 0',
        'monitor catch vmexit TLBR in VM 1',
        ...['continue', 'continue', 'continue'],
        'monitor info catches',
        'monitor delete catch 4',
        // Nothing is told of the past that is searched, and a log stops no search.
        'reverse-continue',
        'monitor history 1',
      ],
    });
    const [before, first, second, third, ...rest] = output.split(
      /^\(gdb\) (?=continue|reverse-continue|monitor info catches)/m,
    );
    expect(before).toMatch(/log 1: vmexit PIS in 1\nlog 2|log 1: vmexit PIS in 1/);
    expect(before).toMatch(/one of vmexit, exception, .* expected\nusage: monitor log EVENT/);
    expect(before!.match(/'if' takes a general register, an operator and a value/g)).toHaveLength(2);
    // The guest's first instruction misses the TLB; then it writes to the console, a character an exit.
    expect(first).toMatch(/\{\d+\} host CSR 0x50 about to be written: 0x\w+.* at pc=0x9/);
    expect(`${first}${second}${third}`.match(/\{\d+\} VM exit cpu0 in VM 1: PIS/g)!.length).toBeGreaterThan(10);
    expect(`${first}${second}${third}`).not.toMatch(/\{\d+\} VM exit cpu0 in VM 1: TLBR/);
    expect(rest[0]).toMatch(/1: log vmexit PIS in 1 \(\d+ hits\)\n2: log csr-write gstat/);
    expect(rest[0]).toMatch(/3: log vmexit if a0 == 0x123456789\n/);
    expect(rest[1]).toMatch(/Reached end of recorded history|No more reverse-execution history/);
    expect(rest[1]).not.toMatch(/\{\d+\} VM exit cpu0/);
  });
});

test('a difference has the bytes that differ, and the registers', () => {
  const bench = new TestMachine({
    code: [
      'addi.d $t0, $zero, 7',
      'st.d $t0, $a0, 4',
      'addi.d $t0, $t0, 1',
      'st.b $t0, $a0, 64',
      'andi $zero, $zero, 0',
      'andi $zero, $zero, 0',
    ],
  });
  bench.set({ a0: 0x30_0000 });
  const control = new RunControl(bench.machine);
  control.history.enable(true);
  control.history.run(6, 6);
  const { registers, memory, pages } = finish(comparing(control, 1, 4));
  expect(control.history.position).toBe(4);
  expect(pages).toBe(1);
  expect(memory.map(({ pa, before, after }) => [pa, [...before], [...after]])).toEqual([
    [0x30_0004, [0], [7]],
    [0x30_0040, [0], [8]],
  ]);
  expect(registers.map(({ name, before, after }) => [name, before, after])).toEqual([
    ['pc', BigInt(CODE + 4), BigInt(CODE + 16)],
    ['t0', 7n, 8n],
  ]);
});
