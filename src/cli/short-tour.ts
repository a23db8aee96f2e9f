/** The steps of the tour without gdb: what gdb's user would type, and texts that must be in the answer. */

/** One thing that is done: a word of gdb's, which becomes a packet. */
export type TourAction =
  | { readonly kind: 'break'; readonly symbol: string }
  | { readonly kind: 'delete'; readonly symbol: string }
  | { readonly kind: 'continue' | 'stepi' | 'reverse-stepi' }
  | { readonly kind: 'monitor'; readonly line: string };

export interface ShortTourStep {
  readonly title: string;
  /** The explanation for the reader. */
  readonly text: string;
  readonly actions: readonly TourAction[];
  readonly expect: readonly RegExp[];
}

const monitor = (line: string): TourAction => ({ kind: 'monitor', line });
const STEP: TourAction = { kind: 'stepi' };
const CONTINUE: TourAction = { kind: 'continue' };

/** The guest of the tour, on the reference hypervisor. */
export const SHORT_TOUR_GUEST = 'hello';

export const SHORT_TOUR: readonly ShortTourStep[] = [
  {
    title: 'Stop at the ertn that enters the guest',
    text: 'A breakpoint in the hypervisor. GSTAT.PGM is 1: this ertn goes into a guest, whose first instruction is in ERA.',
    actions: [{ kind: 'break', symbol: '_guest_entry' }, CONTINUE, monitor('info csr gstat'), monitor('info csr era')],
    expect: [/<_guest_entry>: ertn/, /GSTAT .*= 0x10082/, /ERA .*= 0x200000/],
  },
  {
    title: 'Step over it: one instruction, and the CPU is in the guest',
    text: 'The same CPU, another world. The guest has its own CRMD: DA, no paging yet.',
    actions: [{ kind: 'delete', symbol: '_guest_entry' }, STEP, monitor('info worlds')],
    expect: [/0x200000 <_start>/, /VM 1/],
  },
  {
    title: 'Step once more: the first fetch misses',
    text: 'A packet steps exactly: no TLB has an entry for the guest’s page yet, so this step ends in the hypervisor’s refill handler.',
    actions: [STEP, monitor('info exits')],
    expect: [/host: 0x1006000 .*csrwr/, /VM exit from VM 1: TLBR/],
  },
  {
    title: 'Catch the first hypercall, and ask what happened',
    text: 'hvcl leaves the guest, too. The exit in words, and both stages of the translation of the guest’s PC.',
    actions: [monitor('catch vmexit HVC'), CONTINUE, monitor('explain'), monitor('translate 0x200008 in 1')],
    expect: [/host: .*<_guest_exit>/, /VM exit from VM 1 on cpu0: HVC/, /0x200008 -> physical 0x1200008/],
  },
  {
    title: 'Go back, through the world switch',
    text: 'The past runs again: one instruction back, the CPU is in the guest, before its hvcl.',
    actions: [{ kind: 'reverse-stepi' }, monitor('info worlds')],
    expect: [/VM 1: 0x200008 <hello_hypercall>: hvcl/, /cpu0: VM 1/],
  },
  {
    title: 'Let it run to the end',
    text: 'The guest powers off, and so does the machine.',
    actions: [monitor('delete catch 1'), CONTINUE],
    expect: [/\bW00\b/],
  },
];

/** Lines that the guest’s screen has at the end. */
export const SHORT_TOUR_SCREEN: readonly RegExp[] = [
  /^\[hello\] Hello from a LoongArch guest$/,
  /^hv: guest hello stopped with status 0/,
];
