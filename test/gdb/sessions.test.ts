/** Sessions of a real gdb: views, stepping, breakpoints, watchpoints, catches, interruption. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { runTour } from '../../src/cli/demo.ts';
import { DEFAULT_MACHINE } from '../../src/cli/options.ts';
import { TOURS } from '../../src/cli/tour.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import {
  attachCommands,
  GDBS,
  gdbSession,
  guestSpec,
  refused,
  type Session,
  type SessionOptions,
} from '../support/gdb-session.ts';
import { IDLE, tinyElf } from '../support/images.ts';

describe.each(GDBS)('the guided tour with %s', (_name, gdb) => {
  test.each(TOURS.map((t) => [t.title, t] as const))('%s', async (_, tour) => {
    const result = await runTour(tour, gdb, 1, false);
    expect(result.transcript).not.toMatch(/internal-error/);
    expect(result.ok, result.transcript).toBe(true);
  });
});

describe.each(GDBS)('sessions with %s', (_name, gdb) => {
  const session = (options: SessionOptions): Promise<Session> => gdbSession({ gdb, ...options });

  test('connects without a warning and reads every register', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'info registers',
        'info all-registers',
        'info registers csr',
        'info registers gcsr',
        'info registers system',
        'maint print reggroups',
        'print/x $crmd & 0x18',
        'print $estat_u.b.Ecode',
        'set $r12 = 0x1234',
        'print/x $r12',
        'set $f3 = 1.5',
        'print $vr3.v2f64[0]',
        'set $save3 = 77',
        'print $save3',
        'set $g_save3 = 78',
        'print $g_save3',
        'print/x $scr0',
        'print/x $fcc7',
      ],
    });
    for (const line of [
      /^r31 +0x/m,
      /^pc +0x1000000/m,
      /^crmd +0x8 +\[ PLV=0 DA/m,
      /^g_crmd +0x8/m,
      /^world +0x0/m,
      /gcsr +user/,
      /^\$1 = 0x8/m,
      /^\$3 = 0x1234/m,
      /^\$4 = 1.5/m,
      /^\$5 = .*77/m,
      /^\$6 = .*78/m,
    ])
      expect(output).toMatch(line);
    expect(output).not.toMatch(/Could not|unavailable|Error/);
  });

  test('stepi follows branches, calls and TLB refills of the hypervisor one instruction at a time', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: ['stepi 40', 'print $icount', 'print/x $pc'],
    });
    expect(output).toMatch(/^\$1 = 40$/m);
    expect(output).toMatch(/^\$2 = 0x90000000010/m);
  });

  test('stepi, nexti, finish, until and temporary breakpoints in C code', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'tbreak vm_create',
        'continue',
        'next',
        'next',
        'step',
        'finish',
        'info breakpoints',
        'hbreak handle_exit',
        'continue',
        'backtrace',
        'print *v->vm->name@6',
        'print v->exit_estat >> 16',
      ],
    });
    expect(output).toMatch(/Temporary breakpoint 1, vm_create/);
    expect(output).toMatch(/No breakpoints, watchpoints/);
    expect(output).toMatch(/Breakpoint 2, handle_exit/);
    expect(output).toMatch(/#1 .* in run \(/);
    expect(output).toMatch(/= 23$/m); // HVC
  });

  test('a watchpoint stops before the store; conditions and read watchpoints work', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'watch vm_count',
        'continue',
        'print vm_count',
        'delete',
        'rwatch vm_count',
        'continue',
        'delete',
        'awatch vms[0].column',
        'continue',
        'continue',
      ],
    });
    expect(output).toMatch(/Hardware watchpoint 1: vm_count\s+Old value = 0\s+New value = 1/);
    expect(output).toMatch(/Hardware read watchpoint 2: vm_count/);
    expect(output).toMatch(/Hardware access \(read\/write\) watchpoint 3/);
  });

  test('stepi off an ertn works with every arrangement of breakpoints around it', async () => {
    const into = /0x200000 <_start>|_start \(\)/;
    const arrangements = [
      ['break *&_guest_entry', 'continue', 'stepi', 'print/x $pc'],
      ['break *&_guest_entry', 'break *&_guest_entry+4', 'continue', 'stepi', 'print/x $pc'],
      ['tbreak *&_guest_entry', 'continue', 'break handle_exit', 'stepi', 'print/x $pc'],
    ];
    for (const commands of arrangements) {
      const { output } = await session({ guests: [guestSpec('hello')], symbols: ['hello'], commands });
      expect(output).toMatch(into);
      expect(output).toMatch(/= 0x200000$/m);
    }
    // Continue off a breakpoint that stands on the ertn: the guest runs, the next entry stops again.
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: ['break *&_guest_entry', 'continue', 'continue', 'print/x $era'],
    });
    expect(output.match(/Breakpoint 1, /g)).toHaveLength(2);
    expect(output).toMatch(/= 0x20000c$/m);
  });

  test('stepping out of the guest by each exit cause lands at the vector', async () => {
    // One GSPR exit after the other: back to the instruction, then a step over it.
    const { output } = await session({
      guests: [guestSpec('privileged')],
      symbols: ['privileged'],
      commands: [
        'break guest_main',
        'continue',
        'delete',
        'monitor catch vmexit GSPR',
        ...[1, 2, 3, 4].flatMap(() => ['continue', 'x/i $era', 'print $estat_u.b.Ecode == 22']),
        'monitor delete catch 1',
        'tbreak *$era+4',
        'continue',
        'print $world',
      ],
    });
    expect(output.match(/catch 1: VM exit cpu0 in VM 1: GSPR/g)).toHaveLength(4);
    expect(output.match(/= 1$/gm)!.length).toBeGreaterThanOrEqual(5);
    expect(output).toMatch(/cpucfg/);
    expect(output).toMatch(/iocsrrd\.w/);
  });

  test('a breakpoint in one guest never stops the other or the host', async () => {
    const { output } = await session({
      guests: [guestSpec('two', 'a', 'a'), guestSpec('two', 'b', 'b')],
      commands: [
        'monitor catch ertn in 2',
        'continue',
        'monitor delete catch 1',
        'monitor info worlds',
        ...attachCommands(18, 'build/guests/two.elf'),
        'break put_dec',
        'continue',
        'print $gid',
        'continue',
        'print $gid',
        'continue',
        'print $gid',
        'info threads',
        'print/x $g_save3',
        'delete',
        'detach',
        'inferior 1',
        'detach',
      ],
    });
    expect(output.match(/hit Breakpoint 1/g)).toHaveLength(3);
    for (const n of [1, 2, 3]) expect(output).toMatch(new RegExp(`^\\$${n} = 2$`, 'm'));
    expect(output).toMatch(/Thread 18\.1/);
    expect(output).toMatch(/= 0x202020202020202$/m);
  });

  test('a guest’s own port looks like a bare machine; stepping over a trapped instruction behaves like hardware', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      ports: [{ vm: 1, vcpu: 0, address: { host: '127.0.0.1', port: 0 } }],
      port: 1,
      commands: [
        'file build/guests/hello.elf',
        'info threads',
        'break hello_hypercall',
        'continue',
        'info registers pc crmd',
        'stepi',
        'x/i $pc',
        'break hello_mmio',
        'continue',
        'stepi',
        'x/i $pc',
        'info threads',
        'set $t2 = 0x21',
        'delete',
        'detach',
      ],
    });
    expect(output).toMatch(/VM 1 not entered yet/);
    expect(output).toMatch(/Breakpoint 1, hello_hypercall/);
    expect(output).toMatch(/=> 0x20000c <hello_hypercall\+4>/);
    expect(output).toMatch(/=> 0x200028 <hello_mmio\+4>/);
    expect(output).toMatch(/Thread 1\.1 .*VM 1 on cpu0/);
  });

  test('registers of a parked vCPU can be read, and refuse to be written', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'break handle_exit',
        'continue',
        'add-inferior',
        'inferior 2',
        'attach 17',
        'print/x $pc',
        'print/x $r4',
        'x/i $pc',
        refused('set $r4 = 5'),
        'info threads',
        'monitor info vcpus',
      ],
    });
    expect(output).toMatch(/= 0x200008$/m);
    expect(output).toMatch(/hvcl/);
    expect(output).toMatch(/refused: .*vCPU is parked/);
    expect(output).toMatch(/VM 1 parked, last on cpu0/);
    expect(output).toMatch(/VM 1 vcpu 0: parked, last on cpu0 at 0x200008/);
  });

  test('attach to a guest that does not exist is refused with a reason', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: ['add-inferior', 'inferior 2', refused('attach 20')],
    });
    expect(output).toMatch(/refused: .*there is no process 20: VM number N is process 16 \+ N/);
  });

  test.each([
    ['a loop', undefined],
    ['idle', IDLE],
  ])('Ctrl-C stops %s within moments, and the machine can go on', async (_, word) => {
    const sent: number[] = [];
    const { output } = await session({
      image: tinyElf(word),
      commands: ['continue', 'print $pc', 'stepi', 'print $icount > 0', 'detach'],
      meanwhile: (running, interrupt) => {
        // Once the machine runs: gdb is then waiting for it.
        const poll = setInterval(() => {
          if (running.booted.machine.instructions === 0) return;
          clearInterval(poll);
          setTimeout(() => {
            sent.push(Date.now());
            interrupt();
          }, 100);
        }, 5);
      },
    });
    expect(sent).toHaveLength(1);
    expect(output).toMatch(/received signal SIGINT/);
    expect(output).toMatch(/0x20000[04]/);
    // A step of a CPU that nothing will wake does not wait for it.
    if (word === IDLE) expect(output).toMatch(/waits in idle, and nothing inside the machine will wake it/);
    expect(output).toMatch(/\$2 = 1/);
  });

  test('two CPUs are two threads; a step of one leaves the other still', async () => {
    const { output } = await session({
      image: tinyElf(),
      more: { smp: 2 },
      commands: [
        'info threads',
        'set scheduler-locking on',
        'stepi',
        'thread 2',
        'print $icount',
        'info threads',
        'monitor info worlds',
      ],
    });
    expect(output).toMatch(/Thread 1\.1 "cpu0" \(host PLV0\)/);
    expect(output).toMatch(/Thread 1\.2 "cpu1" \(host PLV0 parked\)/);
    expect(output).toMatch(/\$1 = 0/);
  });

  test('a hundred steps through branches, calls and stores follow the emulator’s own trace', async () => {
    const commands = [
      'tbreak vm_load_elf',
      'continue',
      'python pcs=[]',
      'python for i in range(100): gdb.execute("stepi", to_string=True); pcs.append(int(gdb.parse_and_eval("$pc")))',
      'python print("trace:", " ".join(hex(p) for p in pcs))',
    ];
    const { output } = await session({ guests: [guestSpec('hello')], commands });
    const stepped = /trace: (.*)/.exec(output)![1]!.split(' ').map(BigInt);
    const booted = boot(undefined, { ...DEFAULT_MACHINE, guest: [guestSpec('hello')] }, () => {});
    const { machine } = booted;
    const cpu = machine.cpus[0]!;
    // The breakpoint stands behind the prologue: follow the machine to its address, then a hundred instructions.
    const start = BigInt(/Temporary breakpoint 1 at (0x[0-9a-f]+)/.exec(output)![1]!);
    const control = new RunControl(machine);
    control.comparators.insert({ owner: control, scope: 'any', va: start, hardware: false });
    while (machine.run(100_000) !== 'stop');
    machine.clearStops();
    control.comparators.remove(() => true);
    const own: bigint[] = [];
    for (let n = 0; n < 100; n++) {
      machine.step(cpu);
      own.push(cpu.pc);
    }
    expect(stepped).toEqual(own);
  });

  test('catch syscall N stops on exits, entries, exceptions, CSR writes and interrupts', async () => {
    const { output } = await session({
      guests: [guestSpec('privileged')],
      commands: [
        `catch syscall ${4000 + 0x41}`,
        'continue',
        'x/i $pc',
        'stepi',
        'delete',
        'catch syscall 3023 3022',
        'continue',
        'print $estat_u.b.Ecode == 22',
        'delete',
        'catch syscall 3900',
        'continue',
        'print $gid == 1 && $world == 1',
        'delete',
        'catch syscall 1011',
        'continue',
        'print ($g_estat >> 16) & 0x3f',
        'delete',
        'detach',
      ],
    });
    for (const n of [4065, 3022, 3900, 1011])
      expect(output).toMatch(new RegExp(`Catchpoint \\d+ \\(call to syscall ${n}\\)`));
    expect(output).toMatch(/csrwr\s+\$\w+, 0x41/);
    expect(output).toMatch(/^\$1 = 1$/m);
    expect(output).toMatch(/^\$2 = 1$/m);
    expect(output).toMatch(/^\$3 = 11$/m);
    const timer = await session({
      guests: [guestSpec('timer')],
      symbols: ['timer'],
      commands: ['catch syscall 2011', 'continue', 'print $world', 'x/i $pc', 'delete', 'detach'],
    });
    expect(timer.output).toMatch(/Catchpoint 1 \(call to syscall 2011\), guest_vector/);
    expect(timer.output).toMatch(/^\$1 = 1$/m);
  });

  test('monitor reset starts the machine again', async () => {
    const { output, console } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'break handle_exit',
        'continue',
        'monitor reset',
        'maint flush register-cache',
        'print/x $pc',
        'continue',
        'delete',
        'continue',
      ],
    });
    expect(output).toMatch(/= 0x1000000$/m);
    expect(console.match(/hv: LVZ version 1/g)).toHaveLength(2);
    expect(console.match(/Hello from a LoongArch guest/g)).toHaveLength(1);
  });

  test('monitor commands answer, and wrong arguments get their usage', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loongscope-sessions-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'text'), 'no snapshot');
    const { output } = await session({
      guests: [guestSpec('paging')],
      more: { files: folder },
      commands: [
        'monitor catch exception PME in 1',
        'continue',
        'monitor explain',
        'monitor info tlb 1',
        'monitor translate 0x4000001000',
        'monitor info gcsr crmd',
        'monitor info csr gstat',
        'monitor info exceptions',
        'monitor history 5',
        'monitor catch csr-write g_asid',
        'monitor info catches',
        'monitor history zero',
        'monitor catch vmexit NOPE',
        'monitor translate',
        'monitor info csr nope',
        'monitor snapshot save',
        'monitor snapshot save /nonexistent/x',
        'monitor snapshot load /etc/passwd',
        'monitor snapshot load text',
        'monitor snapshot save text',
        'monitor snapshot save machine',
        'stepi 3',
        'monitor snapshot load machine',
        'maint flush register-cache',
        'info registers pc',
        'monitor bogus',
        'monitor delete catch 99',
        'monitor step-into tlbr irq',
        'monitor step-into default',
      ],
    });
    for (const line of [
      /exception in VM 1 on cpu0: PME: page modification/,
      /stage 1: .*clean \(D=0\)/,
      /stage 1 \(GVA to GPA\): \d+ entries/,
      /0x4000001000 -> physical 0x/,
      /CRMD \(CSR 0x0, current mode\)/,
      /GSTAT \(CSR 0x50/,
      /guests: .*PME 1/,
      /catch 2: csr-write g_asid/,
      /usage: monitor history/,
      /unknown cause 'NOPE'/,
      /usage: monitor translate/,
      /unknown CSR 'nope'/,
      /a file expected\nusage: monitor snapshot save FILE/,
      /nonexistent\/x: the name is absolute: files are named below the folder of --files\nusage: monitor snapshot save/,
      /passwd: the name is absolute/,
      /text is no snapshot, or damaged/,
      /text exists, and this run has not made it: choose another name/,
      /machine: [\d.]+ MiB, at instruction (\d+)[\s\S]*\(gdb\) monitor snapshot load.*\nat instruction \1\n/,
      /unknown command 'bogus'/,
      /no catch 99/,
      /step-into: tlbr irq/,
      /step-into: vmexit gspr hvc ade ine/,
    ])
      expect(output).toMatch(line);
  });

  test('info os tables', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'break handle_exit',
        'continue',
        'info os',
        'info os exits',
        'info os vcpus',
        'info os tlb',
        'info os devices',
        'info os csrs',
      ],
    });
    for (const line of [/HVC +0x17 +1/, /17 +1 +1 +0 +0 +parked +0x200008 +2 +HVC/, /uart0/, /GSTAT +0x/])
      expect(output).toMatch(line);
  });

  test('memory can be written, searched and compared', async () => {
    const { output } = await session({
      guests: [guestSpec('hello')],
      commands: [
        'compare-sections .text',
        'set *(unsigned long*)0x9000000001800000 = 0x1122334455667788',
        'x/gx 0x9000000001800000',
        'find /g 0x9000000001800000, +64, 0x1122334455667788',
        // Before this point the CPU is in direct address mode, where any address is physical.
        'tbreak hv_main',
        'continue',
        refused('x/gx 0x5000000000000000'),
        refused('x/bx 0x800000001fe001e5'),
        'monitor mmio-read on',
        'x/bx 0x800000001fe001e5',
      ],
    });
    expect(output).toMatch(/Section \.text, .*matched/);
    expect(output).toMatch(/0x9000000001800000:\s+0x1122334455667788/);
    expect(output).toMatch(/1 pattern found/);
    expect(output).toMatch(/refused: Cannot access memory at address 0x800000001fe001e5/);
    expect(output).toMatch(/0x60$/m);
    expect(output).toMatch(/refused: Cannot access memory at address 0x5000000000000000/);
  });
});
