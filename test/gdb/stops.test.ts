/** What stops the machine: breakpoints with conditions, by physical address and ASID; watchpoints; catches; loops. */
import { describe, expect, test } from 'vitest';
import { GDBS, gdbSession, guestSpec, type Session, type SessionOptions } from '../support/gdb-session.ts';
import { elfOf } from '../support/images.ts';

describe.each(GDBS)('stops with %s', (_name, gdb) => {
  const session = (options: SessionOptions): Promise<Session> => gdbSession({ gdb, ...options });

  test('a condition is evaluated in the server: a thousand false hits, one stop', async () => {
    const image = elfOf(['addi.d $t0, $t0, 1', 'b -4']);
    const { output } = await session({
      image,
      commands: [
        'break *0x200000 if $r12 == 5000 && $world == 0',
        'continue',
        'print $r12',
        'print $icount',
        'info breakpoints',
        'delete',
        'break *0x200004 if *(unsigned int*)0x200000 == 0 || $r12 > 6000',
        'continue',
        'print $r12',
      ],
    });
    expect(output).toMatch(/\$1 = 5000\n/);
    expect(output).toMatch(/\$2 = 10000\n/);
    expect(output).toMatch(/target evals/);
    expect(output).toMatch(/\$3 = 6001\n/);
  });

  test('catch syscall at the end of a step over a breakpoint: the breakpoint is hit again', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'break *&_guest_entry',
        'catch syscall 3901',
        'continue',
        'stepi',
        'print $world',
        'delete 2',
        'continue',
      ],
    });
    expect(output).toMatch(/^\[lvz\] catch syscall 3901: VM entry cpu0 -> VM 1 pc=0x200000$/m);
    expect(output).toMatch(/\$1 = 1\n/);
    expect(output.match(/^Breakpoint 1, .*_run_guest \(\)/gm)).toHaveLength(2);
  });

  test('a breakpoint by physical address stops under another name of the same memory', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        // At reset the machine is in direct address mode: this is the physical address of the function.
        'monitor bp-by physical',
        'break *(((unsigned long)&handle_exit) & 0xffffffffffff)',
        'continue',
        'x/i $pc',
        'print $icount',
        'continue',
        'print $icount',
        'delete',
        'monitor bp-by virtual',
        'monitor bp-by',
      ],
    });
    expect(output).toMatch(/=> 0x9[0-9a-f]+ <handle_exit>/);
    expect(output.match(/\[lvz\] breakpoint of 0x1[0-9a-f]+ at physical 0x1[0-9a-f]+, here 0x9/g)).toHaveLength(2);
    const counts = [...output.matchAll(/^\$\d = (\d+)$/gm)].map((m) => Number(m[1]));
    expect(counts[1]).toBeGreaterThan(counts[0]!);
    expect(output).toMatch(/breakpoints go by virtual address/);
  });

  test('a breakpoint in one address space', async () => {
    const image = elfOf([
      'csrrd $t0, 0x18', // ASID
      'xori $t0, $t0, 3',
      'csrwr $t0, 0x18',
      'addi.d $t1, $t1, 1',
      'b -16',
    ]);
    const { output } = await session({
      image,
      commands: [
        'monitor bp-asid 3',
        'break *0x20000c',
        'continue',
        'print $asid & 0x3ff',
        'continue',
        'print $asid & 0x3ff',
        'print $r13',
        'monitor bp-asid any',
        'monitor bp-asid 5000',
      ],
    });
    expect(output.match(/^\$\d = 3$/gm)).toHaveLength(2);
    // Every second round is in the other address space: two rounds lie between the stops.
    expect(output).toMatch(/\$3 = 2\n/);
    expect(output).toMatch(/an ASID \(0 to 1023\) or 'any' expected/);
  });

  test('breakpoints survive a reset of the machine, and are hidden from the guest’s own reads', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'break handle_exit',
        'continue',
        'x/wx $pc',
        'monitor reset',
        'maint flush register-cache',
        'continue',
        'x/wx $pc',
      ],
    });
    expect(output.match(/Breakpoint 1, handle_exit/g)).toHaveLength(2);
    const words = [...output.matchAll(/<handle_exit\+?\d*>:\s+(0x[0-9a-f]+)/g)].map((m) => m[1]);
    expect(words[0]).toBe(words[1]);
    expect(words[0]).not.toBe('0x002a0005');
  });

  test('catches by hypercall, GPA, PLV, CSR value, TLB change, first entry', async () => {
    const { output } = await session({
      guests: [guestSpec('paging')],
      commands: [
        'monitor catch first-entry',
        'continue',
        'monitor delete catch 1',
        'monitor catch vmexit HVC hypercall 0x100 in 1',
        'continue',
        'monitor delete catch 2',
        'monitor catch vmexit gpa 0x1fe00000-0x1fe00fff',
        'continue',
        'monitor delete catch 3',
        'monitor catch csr-write gtlbc & 0xff0000 == 0x10000',
        'continue',
        'x/i $pc',
        'monitor delete catch 4',
        'monitor catch tlb-fill in 1',
        'continue',
        'monitor delete catch 5',
        'monitor catch tlb-invalidate',
        'continue',
        'monitor delete catch 6',
        'monitor info catches',
        'monitor catch vmexit gpa 5-1',
        'monitor catch csr-write gtlbc & 1',
        'monitor catch exception plv 9',
        'monitor catch vmexit hypercall',
        'monitor watch gpa',
        'monitor watch phys 0x1000 8 q',
        'monitor watch phys 0x1000 8 w if ~ 1',
      ],
    });
    for (const line of [
      /catch 1: VM entry cpu0 -> VM 1/,
      /catch 2: VM exit cpu0 in VM 1: HVC/,
      /catch 3: VM exit cpu0 in VM 1: PI[LS] .*badv=0x1fe00/,
      /catch 4: host CSR 0x15 about to be written: 0x10000 under mask 0xff0000/,
      /csrxchg\s+\$t0, \$t1, 0x15/,
      /catch 5: cpu0 tlb(fill|wr): stage [12] of VM 1 at 0x/,
      /catch 6: cpu0 (invtlb|tlbclr|tlbflush)/,
      /no catches/,
      /its end is before its start/,
      /'& 1' means nothing here/,
      /'9' is too large/,
      /'hypercall' needs a value/,
      /a VM's number expected/,
      /'q' means nothing here/,
      /'if' takes an operator/,
    ])
      expect(output).toMatch(line);
  });

  test('a handler that faults on itself is a loop: stopped and explained', async () => {
    const image = elfOf([
      'lu12i.w $t0, 0x300', // 0x300000: nothing there but zeros, which are no instruction
      'csrwr $t0, 0xc',
      'syscall 0',
      'b 0',
    ]);
    const { output } = await session({ image, commands: ['continue', 'print $world', 'monitor why'] });
    expect(output).toMatch(
      /\[lvz\] the host loops in exceptions on cpu0: its own vector 0x300000 raises INE, for ever/,
    );
    expect(output).toMatch(/exception in the host on cpu0: INE/);
    expect(output).toMatch(
      /csr +eentry = 0x300000 \[.*\]?: last written at 0x200004|csr +eentry = 0x300000: last written at 0x200004/,
    );
    expect(output).toMatch(/the handler faults on its own first instruction: this goes on for ever/);
  });

  test('a program that leaves its handler by a jump is no loop; one that faults in the middle of its handler is', async () => {
    const jumps = elfOf([
      'lu12i.w $t0, 0x201', // EENTRY = 0x201000
      'csrwr $t0, 0xc',
      'addi.d $t1, $t1, 1',
      'syscall 0',
      ...Array.from({ length: 1024 - 4 }, () => 'ori $zero, $zero, 0'),
      'lu12i.w $t2, 0x200',
      'jirl $zero, $t2, 8',
    ]);
    const fine = await session({
      image: jumps,
      commands: ['break *0x20000c if $r13 == 3000', 'continue', 'print $r13'],
    });
    expect(fine.output).toMatch(/\$1 = 3000\n/);
    expect(fine.output).not.toMatch(/loops in exceptions/);
    const faults = elfOf([
      'lu12i.w $t0, 0x201',
      'csrwr $t0, 0xc',
      'syscall 0',
      ...Array.from({ length: 1024 - 3 }, () => 'ori $zero, $zero, 0'),
      'ori $t1, $zero, 1',
      'break 0',
    ]);
    const stuck = await session({ image: faults, commands: ['continue'] });
    expect(stuck.output).toMatch(/its handler at 0x201000 raises BRK at 0x201004, before it returns, for ever/);
  });

  test('a refill handler at a virtual address is told', async () => {
    const image = elfOf([
      // DMW0 for segment 9, paging on, and TLBRENTRY as a kernel's virtual address.
      'lu52i.d $t0, $zero, -1792',
      'ori $t1, $t0, 1',
      'csrwr $t1, 0x180',
      'lu52i.d $t1, $zero, -1',
      'lu32i.d $t1, -262144', // 0xfffc000000000000
      'csrwr $t1, 0x88',
      'pcaddi $t2, 6',
      'or $t2, $t2, $t0',
      'ori $t3, $zero, 0x10',
      'csrwr $t3, 0',
      'jirl $zero, $t2, 0',
      'b 0',
      'ld.d $a0, $zero, 64',
      'b 0',
    ]);
    const { output } = await session({
      image,
      commands: ['monitor catch exception TLBR', 'continue', 'monitor explain'],
    });
    expect(output).toMatch(
      /tlbrentry was given a virtual address \(0xfff[0-9a-f]+\.\.\.\): the refill handler runs in direct address mode/,
    );
  });

  test('explain is about the event at which the machine stopped: a write, an entry, a change of the TLB', async () => {
    const { output } = await session({
      guests: [guestSpec('timer')],
      symbols: ['timer'],
      more: { append: 'softtimer' },
      commands: [
        ...['monitor catch inject 11', 'continue', 'monitor explain', 'monitor delete catch 1'],
        ...['monitor catch ertn', 'continue', 'monitor explain', 'monitor delete catch 2'],
        ...['monitor catch tlb-fill', 'continue', 'monitor explain', 'monitor delete catch 3'],
        ...['monitor catch csr-write gstat', 'continue', 'monitor explain', 'stepi', 'monitor explain'],
      ],
    });
    // On a busy computer it says where it is.
    const quiet = output.replace(/^(looking back|replaying), at instruction \d+\n/gm, '');
    const answers = quiet.split('(gdb) monitor explain\n').slice(1);
    expect(answers[0]).toMatch(
      /^an interrupt is about to be injected into VM 1 on cpu0: line 11 \(TI\)\n +pc .*<vtimer_expire.*: gcsrxchg .*\n +csr +g_estat = 0x0, becomes 0x800 \[TI\]\n +delivery +at the next entry: .*\n +before .* VM exit from VM 1: GSPR/,
    );
    expect(answers[1]).toMatch(
      /^VM entry into VM 1 \(gid 1\) on cpu0, by the ertn at .*<_guest_entry>\n +pc .*<guest_main.*\n +csr +g_crmd = 0xc \[IE DA\]\n +interrupts +pending in the guest: g_estat.IS = 0x800\n/,
    );
    expect(answers[2]).toMatch(
      /^tlbfill on cpu0: entry written, stage 2 of VM 1 \(gid 1\)\n +next .*\n +entry +#\d+ gid 1 /,
    );
    expect(answers[3]).toMatch(
      /^gstat is about to be written on cpu0 by the host\n +pc .*<_guest_exit.*\n.*\[PGM .*becomes/,
    );
    // Where it stands now is no event of its own.
    expect(answers[4]).toMatch(/^VM exit from VM 1 on cpu0: PIS/);
  });

  test('the branch trace of a refill handler, which runs at its physical address, can be read and has names', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'break _guest_exit',
        'continue',
        'continue',
        'record btrace bts',
        'record function-call-history -',
        'record instruction-history',
      ],
    });
    expect(output).toMatch(/^\d+\t_tlb_refill$/m);
    expect(output).toMatch(/<_tlb_refill\+\d+>:\tldpte/);
    expect(output).not.toMatch(/error/i);
  });
});
