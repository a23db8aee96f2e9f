import type { Lab } from './lab.ts';

export const H3: Lab = {
  name: 'h3',
  title: 'The guest’s timer: its own, and a tick of the host',
  steps: [4, 6],
  files: ['main.c', 'guest.S'],
  prints: [
    'h3: the guest is idle',
    "h3: interrupts by the guest's own timer: 1",
    'h3: tick',
    'h3: tick',
    'h3: tick',
    "h3: interrupts by the host's tick: 3",
    'h3: end',
  ],
  limit: 12_000_000,
  atEntry: [],
  mistakes: [
    {
      when: { rule: ['skip'] },
      step: 6,
      hint: 'Hole 1 of main.c: the idle is done when the guest’s timer has expired, so 4 is added to its PC.',
    },
    {
      when: { rule: ['wake'], cause: /has expired already/, expected: /own timer/ },
      step: 6,
      hint: 'The guest has come back to its idle when its timer had expired. Hole 1 of main.c: 4 is added to its PC, so that it goes on behind the idle.',
    },
    { when: { rule: ['skip-once'] }, step: 6, hint: 'Hole 1 of main.c: 4 is added to PC, once.' },
    {
      when: { printed: /the guest is idle$/, expected: /own timer/ },
      step: 4,
      hint: 'Hole 1 of main.c goes on before the guest’s timer has expired. The guest’s ESTAT, by gcsr_read, has TI (IS_TIMER) when it has.',
    },
    {
      when: { printed: /^$/, expected: /own timer/ },
      step: 4,
      hint: 'Hole 1 of main.c waits for what does not come. TI (IS_TIMER) of the guest’s timer is in the guest’s own ESTAT: gcsr_read, not csr_read.',
    },
    {
      when: { printed: /^$/, expected: /^h3: tick$/ },
      step: 6,
      hint: 'The guest waits for a tick that does not come. Hole 2 of main.c: the host’s TCFG starts the timer, and the host’s ECFG lets its interrupt through.',
    },
    {
      when: { rule: ['acknowledge'] },
      step: 6,
      hint: 'Hole 3 of main.c: the host’s timer interrupt stays until 1 is written to the host’s TICLR.',
    },
    {
      when: { printed: /^h3: tick$/, expected: /host's tick: 3/ },
      step: 4,
      hint: 'The guest has not counted three ticks. Hole 4 of main.c: each tick sets TI (IS_TIMER) in the guest’s own ESTAT, by gcsr_xchg.',
    },
  ],
};
