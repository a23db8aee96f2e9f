/** The steps of the guided tour: gdb's commands, an explanation, and texts that must be in the answer. */

export interface TourStep {
  readonly title: string;
  /** The explanation for the reader. */
  readonly text: string;
  readonly commands: readonly string[];
  readonly expect: readonly RegExp[];
}

export interface Tour {
  readonly title: string;
  /** Guests of the reference hypervisor, as `--guest` takes them; gdb has the symbols of the first one. */
  readonly guests: readonly string[];
  readonly cpus: number;
  readonly steps: readonly TourStep[];
  /** Lines that must be on the guest's screen at the end. */
  readonly screen: readonly RegExp[];
}

export const TOURS: readonly Tour[] = [
  {
    title: 'The world switch: hypervisor, guest, and back',
    guests: ['hello'],
    cpus: 1,
    steps: [
      {
        title: 'Stop where the hypervisor is about to enter its guest',
        text: 'A plain breakpoint in the hypervisor. a0 is the vCPU context.',
        commands: ['break _run_guest', 'continue', 'info registers pc a0'],
        expect: [/hit Breakpoint 1, _run_guest|Breakpoint 1, _run_guest/, /a0 +0x90/],
      },
      {
        title: 'Run to the ertn that switches worlds',
        text: 'GSTAT.PGM is 1: this ertn goes into a guest. GID 1 is the guest, ERA its first instruction.',
        commands: ['break *&_guest_entry', 'continue', 'x/i $pc', 'info registers gstat gtlbc era prmd'],
        expect: [/=> .*<_run_guest\+\d+>:\s+ertn/, /gstat .*PGM.*GID=1/, /gtlbc .*USETGID TGID=1/, /era +0x200000/],
      },
      {
        title: 'Step over the ertn: one instruction, and gdb is inside the guest',
        text: 'The same thread, another world: PC is the first instruction of the guest, CRMD is the guest’s own (DA: no paging yet).',
        commands: ['stepi', 'x/2i $pc', 'info registers pc crmd world gid'],
        expect: [/=> 0x200000 <_start>/, /crmd +0x8 +\[ PLV=0 DA/, /world +0x1/, /gid +0x1/],
      },
      {
        title: 'Step in the guest to its hypercall, and step over it',
        text: 'hvcl leaves the guest: the step ends at the hypervisor’s vector, _guest_exit, with Ecode HVC.',
        commands: ['stepi 2', 'x/i $pc', 'stepi', 'info registers pc estat era world'],
        expect: [/<hello_hypercall>:\s+hvcl/, /_guest_exit/, /estat .*Ecode=HVC/, /era +0x200008/, /world +0x0/],
      },
      {
        title: 'Ask what happened',
        text: 'The exit in words.',
        commands: ['monitor explain', 'monitor info exits'],
        expect: [/VM exit from VM 1 on cpu0: HVC: hypercall/, /code 0x100, a0 = 0x1, a1 = 0x48/, /exits: .*HVC 1/],
      },
      {
        title: 'The guest CSR bank, from the host side',
        text: 'The guest’s CSRs are registers of their own (g_…); they keep their values while the hypervisor runs.',
        commands: ['info registers g_crmd g_estat g_eentry g_stlbps', 'print/x $g_crmd & 0x18'],
        expect: [/g_crmd +0x8/, /g_eentry +0x0/, /\$1 = 0x8/],
      },
      {
        title: 'Catch an exit by its cause',
        text: 'PIS: a store to a guest-physical address that stage 2 does not map. It is the virtual UART; both stages are walked.',
        commands: [
          'delete',
          'monitor catch vmexit PIS',
          'continue',
          'monitor explain',
          'monitor translate 0x200000 in 1',
        ],
        expect: [
          /catch 1: vmexit PIS/,
          /VM exit cpu0 in VM 1: PIS \(Ecode 0x2\) at pc=0x200024 badv=0x1fe001e0/,
          /VM exit from VM 1 on cpu0: PIS: page invalid for store/,
          /stage 1: direct address mode/,
          /stage 2: the page-table entry is not valid/,
          /GPA 0x1fe001e0 is the uart0 on this board's own map: an MMIO access/,
          /0x200000 -> physical 0x/,
        ],
      },
      {
        title: 'The guest as a process of its own',
        text: 'Process 17 is VM 1, the first guest that ran. Its vCPU is parked: the hypervisor runs. A step over the trapping store behaves as on hardware: it lands on the next instruction of the guest.',
        commands: [
          'monitor delete catch 1',
          'add-inferior -exec build/guests/hello.elf',
          'inferior 2',
          'attach 17',
          'info threads',
          'info registers pc t2 crmd',
          'stepi',
          'x/i $pc',
        ],
        expect: [/Thread 17\.1 "vcpu0" \(VM 1 parked, last on cpu0/, /pc +0x200024/, /crmd +0x8/, /=> 0x200028/],
      },
      {
        title: 'Let it run to the end',
        text: 'The guest powers off, and so does the machine.',
        commands: ['detach', 'inferior 1', 'continue'],
        expect: [/\[Inferior 1 \(process 1\) exited normally\]/],
      },
    ],
    screen: [/^\[hello\] Hello from a LoongArch guest$/, /^hv: guest hello stopped with status 0/, /power off$/],
  },
  {
    title: 'Why does my guest die? A synchronous exception, explained',
    guests: ['crash'],
    cpus: 1,
    steps: [
      {
        title: 'The symptom',
        text: 'The hypervisor sees an instruction fetch from GPA 0 that nobody asked for (PIF, guest PC 0).',
        commands: ['monitor catch vmexit PIF', 'continue', 'info registers era badv estat'],
        expect: [/VM exit cpu0 in VM 1: PIF \(Ecode 0x3\) at pc=0x0 badv=0x0/, /era +0x0/, /Ecode=PIF/],
      },
      {
        title: 'The explanation',
        text: 'The fetch was the delivery of another exception: a system call in the guest, whose EENTRY was never written.',
        commands: ['monitor explain', 'monitor history 4', 'info registers g_era g_estat g_eentry'],
        expect: [
          /root cause +this address is a vector: VM 1 took SYS \(system call\) at 0x[0-9a-f]+ <make_system_call/,
          /EENTRY was never written/,
          /look at +where the guest sets EENTRY/,
          /g_estat .*Ecode=SYS/,
          /g_eentry +0x0/,
        ],
      },
      {
        title: 'What the hypervisor makes of it',
        text: 'It ends the guest; nothing else is disturbed.',
        commands: ['monitor delete catch 1', 'continue'],
        expect: [/exited normally/],
      },
    ],
    screen: [/^\[crash\] crash: EENTRY was never set/, /^hv: guest crash died: fetch from GPA 0x0/, /G\.EENTRY 0x0/],
  },
  {
    title: 'Two guests on two CPUs',
    guests: ['two,name=a,append=a', 'two,name=b,append=b'],
    cpus: 2,
    steps: [
      {
        title: 'Catch the second guest alone',
        text: 'Both guests make the same hypercalls; only exits of VM 2 stop. Each CPU is a thread of process 1.',
        commands: ['monitor catch vmexit HVC in 2', 'continue', 'info threads'],
        expect: [/VM exit cpu\d in VM 2: HVC/, /Thread 1\.1 "cpu0" \(/, /Thread 1\.2 "cpu1" \(/],
      },
      {
        title: 'One address, two places',
        text: 'Guest physical 0x200000 of either guest, through its own stage-2 tables.',
        commands: ['monitor translate 0x200000 in 1', 'monitor translate 0x200000 in 2'],
        expect: [/0x200000 -> physical 0x1200000/, /0x200000 -> physical 0x2400000/],
      },
      {
        title: 'Each guest as a process',
        text: 'Process 17 is VM 1, process 18 VM 2: each has its own registers and memory, running or parked.',
        commands: [
          'monitor delete catch 1',
          'add-inferior -exec build/guests/two.elf',
          'inferior 2',
          'attach 17',
          'add-inferior -exec build/guests/two.elf',
          'inferior 3',
          'attach 18',
          'info threads',
          'print/x $save3',
          'inferior 2',
          'print/x $save3',
        ],
        expect: [/Thread 17\.\d "vcpu\d"/, /Thread 18\.\d "vcpu\d"/, /= 0x202020202020202/, /= 0x101010101010101/],
      },
      {
        title: 'Let both run to their end',
        text: 'Each finds its memory and its CSRs as it left them, whatever CPU it ran on.',
        commands: ['detach inferiors 2 3', 'inferior 1', 'continue'],
        expect: [/\[Inferior 1 \(process 1\) exited normally\]/],
      },
    ],
    screen: [
      /^hv: CPU 1 is up$/,
      /^\[a\] two: a round 4 intact$/,
      /^\[b\] two: b round 4 intact$/,
      /^hv: guest a stopped with status 0/,
      /^hv: guest b stopped with status 0/,
    ],
  },
  {
    title: 'Backwards in time',
    guests: ['hello'],
    cpus: 1,
    steps: [
      {
        title: 'Stop in the hypervisor, after an exit',
        text: 'Where did this come from? Nothing has been recorded so far.',
        commands: ['break handle_exit', 'continue'],
        expect: [/Breakpoint 1, handle_exit/],
      },
      {
        title: 'The way that led here',
        text: 'gdb’s own branch trace: through the world switch, into the guest, and back. The past runs again to make it.',
        commands: ['record btrace bts', 'record function-call-history', 'record stop', 'monitor history 4 csr'],
        expect: [
          /_run_guest\n\d+\t_start/,
          /hello_hypercall\n\d+\t_guest_exit/,
          /<_guest_exit\+0x[0-9a-f]+>: gstat 0x10082 -> 0x10080/,
        ],
      },
      {
        title: 'Back to the guest’s first instruction, and over the ertn before it',
        text: 'reverse-continue stops at breakpoints, catches and watchpoints; reverse-stepi goes through the world switch.',
        commands: [
          'delete',
          'break hello_hypercall',
          'reverse-continue',
          'break *&_guest_entry',
          'reverse-continue',
          'x/i $pc',
          'print $world',
        ],
        expect: [/Breakpoint 2, hello_hypercall/, /Breakpoint 3, _run_guest/, /=> .*ertn/, /\$1 = 0/],
      },
      {
        title: 'To the store that made a value what it is',
        text: 'A watchpoint, backwards.',
        commands: ['delete', 'watch vm_count', 'reverse-continue', 'x/i $pc'],
        expect: [/Old value = 1\s+New value = 0/, /<vm_create\+\d+>:\s+st\.w/],
      },
      {
        title: 'Forward again, to the end',
        text: 'The machine does the same once more; its console says nothing twice.',
        commands: ['delete', 'continue'],
        expect: [/exited normally/],
      },
    ],
    screen: [/^\[hello\] Hello from a LoongArch guest$/, /power off$/],
  },
];
