/** The acceptance sessions: what a hypervisor developer does, with the newest gdb and with the oldest one served. */
import { execa } from 'execa';
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
import { expectGolden } from '../support/golden.ts';
import { elfOf } from '../support/images.ts';

describe.each(GDBS)('acceptance with %s', async (_name, gdb) => {
  const version = (await execa(gdb, ['--version'])).stdout;
  const major = Number(/(\d+)\.\d+\s*$/m.exec(version.split('\n')[0]!)![1]);
  const session = (options: SessionOptions): Promise<Session> => gdbSession({ gdb, ...options });
  const golden = (output: string, name: string): Promise<void> => expectGolden(output, name, PROJECT_ROOT, major);

  test('1: registers of every group can be set and read back', async () => {
    const groups: readonly (readonly [register: string, set: string, shown: RegExp])[] = [
      ['$r20', '0x1234', /= 0x1234$/m],
      ['$badv', '0x77', /= 0x77$/m],
      ['$f7', '2.5', /= 2.5/],
      ['$fcc3', '1', /= 1$/m],
      ['$fcsr', '3', /= 3$/m],
      ['$vr9.v4i32[2]', '-5', /= -5$/m],
      ['$xr9.v4i64[3]', '99', /= 99$/m],
      ['$scr2', '0xabc', /= 0xabc$/m],
      ['$save1', '0xcafe', /= 0xcafe$/m],
      ['$g_save1', '0xbeef', /= 0xbeef$/m],
    ];
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: groups.flatMap(([r, v]) => [`set ${r} = ${v}`, `print${v.startsWith('0x') ? '/x' : ''} ${r}`]),
    });
    for (const [r, , shown] of groups) expect(output, r).toMatch(shown);
    expect(output).not.toMatch(/rejected|unavailable|remote failure/);
  });

  test('2: steps over an fcc branch, an ll/sc sequence and a call follow the machine', async () => {
    const image = elfOf([
      'ori $t0, $zero, 1',
      'csrwr $t0, 2', // EUEN.FPE
      'fcmp.ceq.d $fcc0, $f0, $f0',
      'bcnez $fcc0, 12', // taken, over two instructions
      'break 0',
      'break 0',
      'pcaddi $a0, 16',
      'll.d $t1, $a0, 0',
      'addi.d $t1, $t1, 1',
      'sc.d $t1, $a0, 0',
      'bl 8',
      'break 0',
      'addi.d $t2, $t2, 7',
      'b 0',
    ]);
    const { output } = await session({
      image,
      commands: [
        'set $pc = 0x200000',
        'python pcs=[]',
        'python for i in range(9): gdb.execute("stepi", to_string=True); pcs.append(int(gdb.parse_and_eval("$pc")) - 0x200000)',
        'python print("trace:", pcs)',
        'print $t1',
        'print $t2',
      ],
    });
    // From the ll to behind the sc in one step, as gdb does it.
    expect(output).toMatch(/trace: \[4, 8, 12, 24, 28, 40, 48, 52, 52\]/);
    expect(output).toMatch(/\$1 = 1\n/);
    expect(output).toMatch(/\$2 = 7\n/);
  });

  test('3: into the guest and out again by each cause, from the machine’s view and from the guest’s', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      symbols: ['hello'],
      commands: [
        'break *&_guest_entry',
        'continue',
        'stepi', // into the guest
        'x/i $pc',
        'stepi 2',
        'stepi', // hvcl: out by HVC
        'print $estat_u.b.Ecode',
        'delete',
        'break hello_mmio',
        'continue',
        'stepi', // a store to nowhere: out by PIS
        'print $estat_u.b.Ecode',
        'delete',
        ...attachCommands(17, 'build/guests/hello.elf'),
        'x/i $pc',
        'stepi', // the guest's own step goes over it
        'x/i $pc',
        'detach',
        'inferior 1',
        // A breakpoint right behind the ertn does not disturb the step over it.
        'break *&_guest_entry',
        'break *&_guest_entry+4',
        'continue',
        'stepi',
        'print $world',
      ],
    });
    expect(output).toMatch(/=> 0x200000 <_start>/);
    expect(output).toMatch(/\$1 = 23\n/);
    expect(output).toMatch(/\$2 = 2\n/);
    expect(output).toMatch(/=> 0x200024 <hello_mmio>:/);
    expect(output).toMatch(/=> 0x200028 <hello_mmio\+4>:/);
    expect(output).toMatch(/\$3 = 1\n/);
    await golden(output, 'world-switch');
  });

  test('3: interrupts, in the guest and as exits', async () => {
    const { output } = await session({
      guests: [guestSpec('timer')],
      symbols: ['timer'],
      more: { append: 'softtimer' },
      commands: [
        'monitor catch vmexit INT',
        'continue',
        'print $estat_u.b.Ecode == 0 && $world == 0',
        'monitor delete catch 1',
        'monitor catch inject 11',
        'continue',
        'x/i $pc',
        'monitor delete catch 2',
        'monitor catch interrupt in 1',
        'continue',
        'print $world',
      ],
    });
    expect(output).toMatch(/catch 1: VM exit cpu0 in VM 1: INT/);
    expect(output).toMatch(/catch 2: cpu0 injects interrupt 11 into the guest bank/);
    expect(output).toMatch(/gcsrxchg|gcsrwr/);
    expect(output).toMatch(/catch 3: exception cpu0 in VM 1: INT/);
    expect(output.match(/^\$\d = 1$/gm)).toHaveLength(2);
  });

  test('4: identical guests, each breakpoint in its own', async () => {
    const { output } = await session({
      guests: [guestSpec('two', 'a', 'a'), guestSpec('two', 'b', 'b')],
      commands: [
        'monitor catch first-entry in 2',
        'continue',
        'monitor delete catch 1',
        ...[1, 2].flatMap((gid) => attachCommands(16 + gid, 'build/guests/two.elf', gid + 1)),
        'inferior 2',
        'break put_dec inferior 2',
        'continue',
        'print $gid',
        'continue',
        'print $gid',
      ],
    });
    expect(output).toMatch(/VM entry cpu0 -> VM 2/);
    expect(output.match(/^\$\d = 1$/gm)).toHaveLength(2);
  });

  test('5: a parked vCPU has a backtrace at the host’s prompt, and refuses to be written', async () => {
    const { output } = await session({
      guests: [guestSpec('two', 'a', 'a')],
      commands: [
        'monitor catch vmexit PIS',
        'continue',
        'monitor delete catch 1',
        'tbreak handle_exit',
        'continue',
        ...attachCommands(17, 'build/guests/two.elf'),
        'backtrace',
        'info registers pc sp',
        refused('set $r4 = 5'),
        'info threads',
        'monitor context',
      ],
    });
    expect(output).toMatch(/#0 .*put_char .*\n#1 .*put .*\n#2 .* in guest_main/);
    expect(output).toMatch(/refused: .*vCPU is parked; its registers are in the hypervisor's memory/);
    expect(output).toMatch(/VM 1 parked, last on cpu0, registers from the reference hypervisor's context/);
    expect(output).toMatch(/hypervisor: reference hypervisor/);
    await golden(output, 'parked-vcpu');
  });

  test('6: catch syscall, and CSRs and memory through windows', async () => {
    const { output } = await session({
      guests: [guestSpec('two', 'a', 'a')],
      commands: [
        'catch syscall 3023',
        'continue',
        'delete',
        // R.ERA is CSR 6: its window is watched like memory.
        'watch *(unsigned long*)0x6db2000000000030',
        'continue',
        'x/i $pc-4',
        'delete',
        'print *(unsigned int*)0x6db1000000200000 == *(unsigned int*)0x6db0000001200000',
        'print *(unsigned long*)0x6db3000000000000 == $g_crmd',
        'watch *(unsigned int*)0x6db0000001210000',
        'info watchpoints',
        'delete',
        refused('rwatch *(unsigned long*)0x6db2000000000030'),
      ],
    });
    expect(output).toMatch(/Catchpoint 1 \(call to syscall 3023\)/);
    expect(output).toMatch(/Hardware watchpoint 2: .*\n\nOld value = \d+\nNew value = \d+/);
    expect(output).toMatch(/csrwr\s+\$t0, 0x6/);
    expect(output.match(/^\$\d = 1$/gm)).toHaveLength(2);
  });

  test('6: catch signal, for exceptions that were caught', async () => {
    const { output } = await session({
      guests: [guestSpec('privileged')],
      commands: [
        'monitor signals on',
        'monitor catch exception SYS in 1 plv 0',
        'catch signal EXC_SOFTWARE',
        'continue',
        'print ($g_estat >> 16) & 0x3f',
      ],
    });
    expect(output).toMatch(/Catchpoint 1 \(signal EXC_SOFTWARE\)/);
    expect(output).toMatch(/\$1 = 11\n/);
  });

  test('6: a watchpoint on physical memory sees the guest’s stores', async () => {
    const { output } = await session({
      guests: [guestSpec('two', 'a', 'a')],
      commands: [
        'monitor catch first-entry',
        'continue',
        'monitor delete catch 1',
        // The guest's stack, from three sides.
        'monitor translate 0x20df00 in vm 1',
        'monitor watch gpa 1 0x20df00 0x100 w',
        'continue',
        'print $world',
        // The access goes on; the next one stops.
        'continue',
        'monitor info catches',
        'monitor delete catch 2',
        'monitor watch phys 0x120df00 0x100 w if != 0',
        'continue',
        'print $world',
      ],
    });
    expect(output).toMatch(/0x20df00 -> physical 0x120df00/);
    expect(output).toMatch(/\[lvz\] watch 2: store to 0x20df[0-9a-f]{2} cpu0 in VM 1 at pc=0x2/);
    expect(output.match(/\[lvz\] watch 2: store/g)).toHaveLength(2);
    expect(output).toMatch(/2: watch gpa 1 0x20df00 0x100 w/);
    expect(output).toMatch(/\[lvz\] watch 3: store to 0x120df[0-9a-f]{2} cpu0 in VM 1/);
    expect(output.match(/^\$\d = 1$/gm)).toHaveLength(2);
  });

  test('7: backwards over an ertn, to a watched store, and the way that led here', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      symbols: ['hello'],
      commands: [
        'break hello_hypercall',
        'continue',
        'reverse-stepi',
        'reverse-stepi',
        'x/i $pc',
        'reverse-stepi', // back over the stage-2 miss of the first fetch
        'delete',
        'break *&_guest_entry',
        'reverse-continue',
        'x/i $pc',
        'print $world',
        'delete',
        'watch vm_count',
        'reverse-continue',
        'x/i $pc',
        'delete',
        'break handle_exit',
        'continue',
        'record btrace bts',
        'record function-call-history',
        'record stop',
        'monitor history 14 all',
        'monitor history 3 csr',
      ],
    });
    expect(output).toMatch(/=> 0x200000 <_start>/);
    expect(output).toMatch(/=> 0x9[0-9a-f]+ <_run_guest\+260>:\s+ertn/);
    expect(output).toMatch(/Hardware watchpoint \d: vm_count\s+Old value = 1\s+New value = 0/);
    expect(output).toMatch(/<vm_create\+\d+>:\s+st\.w/);
    expect(output).toMatch(/hello_hypercall\n\d+\t_guest_exit\n/);
    expect(output).toMatch(/VM exit from VM 1: HVC/);
    expect(output).toMatch(/<_guest_exit\+0x[0-9a-f]+>: eentry 0x/);
    await golden(output, 'backwards');
  });

  test('7: backwards with two CPUs: each thread by its own instructions', async () => {
    const { output } = await session({
      guests: [guestSpec('smp', 'smp', '', 2)],
      more: { smp: 2 },
      commands: [
        'break handle_exit',
        'continue',
        'continue',
        'continue',
        'stepi 5',
        'reverse-stepi 5',
        'x/i $pc',
        'thread 1',
        // The other thread is on a breakpoint: gdb steps that one off first, backwards.
        'reverse-stepi',
        'x/i $pc',
        'thread 2',
        'reverse-continue',
        'continue',
        'delete',
        'watch vm_count',
        'reverse-continue',
        'x/i $pc',
        'delete',
        'continue',
      ],
    });
    expect(output).toMatch(/<handle_exit\+20>:/);
    expect(output.match(/Thread 2 "cpu1" hit Breakpoint 1, handle_exit/g)!.length).toBeGreaterThanOrEqual(5);
    expect(output).toMatch(/Hardware watchpoint 2: vm_count\s+Old value = 1\s+New value = 0/);
    expect(output).toMatch(/exited normally/);
  });

  test('7: reverse execution stops at the beginning of what is kept, and goes forward again', async () => {
    const { output, console } = await session({
      guests: [guestSpec('hello')],
      commands: [
        ...['tbreak handle_exit', 'continue', 'reverse-continue', 'print $icount', 'monitor reverse'],
        ...['monitor reverse 64M', 'monitor reverse 8M', 'monitor reverse maybe', 'continue'],
      ],
    });
    expect(output).toMatch(/Reached end of recorded history; stopping|No more reverse-execution history/);
    expect(output).toMatch(/\$1 = 0\n/);
    expect(output).toMatch(/reverse is on: instructions 0 to 0 can be gone back to, \d+ copies, \d+ of 512 MiB/);
    expect(output).toMatch(/\d+ of 64 MiB; at most \d+ ms of running from one to the next/);
    expect(output).toMatch(/'8M' is too little: use 16M or more/);
    expect(output).toMatch(/'on', 'off' or a size, as 512M, expected/);
    // What the console had said it does not say again.
    expect(console.match(/hv: LVZ version 1/g)).toHaveLength(1);
    expect(console.match(/Hello from a LoongArch guest/g)).toHaveLength(1);
  });
});
