import type { Lab } from './lab.ts';

export const H3: Lab = {
  name: 'h3',
  title: 'The guest’s timer: its own, and a tick of the host',
  language: 'C',
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
      zh: 'main.c 的空 1：客户机的定时器到期时，idle 就完成了，所以它的 PC 要加 4。',
    },
    {
      when: { rule: ['wake'], cause: /has expired already/, expected: /own timer/ },
      step: 6,
      hint: 'The guest has come back to its idle when its timer had expired. Hole 1 of main.c: 4 is added to its PC, so that it goes on behind the idle.',
      zh: '客户机的定时器到期之后，它又回到了 idle。main.c 的空 1：PC 加 4，使它从 idle 之后继续。',
    },
    {
      when: { rule: ['skip-once'] },
      step: 6,
      hint: 'Hole 1 of main.c: 4 is added to PC, once.',
      zh: 'main.c 的空 1：PC 加 4，只加一次。',
    },
    {
      when: { printed: /the guest is idle$/, expected: /own timer/ },
      step: 4,
      hint: 'Hole 1 of main.c goes on before the guest’s timer has expired. The guest’s ESTAT, by gcsr_read, has TI (IS_TIMER) when it has.',
      zh: 'main.c 的空 1 在客户机的定时器到期之前就继续了。到期之后，客户机的 ESTAT（用 gcsr_read 读取）里有 TI（IS_TIMER）。',
    },
    {
      when: { printed: /^$/, expected: /own timer/ },
      step: 4,
      hint: 'Hole 1 of main.c waits for what does not come. TI (IS_TIMER) of the guest’s timer is in the guest’s own ESTAT: gcsr_read, not csr_read.',
      zh: 'main.c 的空 1 等待的东西不会出现。客户机定时器的 TI（IS_TIMER）在客户机自己的 ESTAT 里：要用 gcsr_read，而不是 csr_read。',
    },
    {
      when: { printed: /^$/, expected: /^h3: tick$/ },
      step: 6,
      hint: 'The guest waits for a tick that does not come. Hole 2 of main.c: the host’s TCFG starts the timer, and the host’s ECFG lets its interrupt through.',
      zh: '客户机等待的节拍没有到来。main.c 的空 2：宿主的 TCFG 启动定时器，宿主的 ECFG 允许它的中断。',
    },
    {
      when: { rule: ['acknowledge'] },
      step: 6,
      hint: 'Hole 3 of main.c: the host’s timer interrupt stays until 1 is written to the host’s TICLR.',
      zh: 'main.c 的空 3：宿主的定时器中断一直保持，直到向宿主的 TICLR 写 1。',
    },
    {
      when: { printed: /^h3: tick$/, expected: /host's tick: 3/ },
      step: 4,
      hint: 'The guest has not counted three ticks. Hole 4 of main.c: each tick sets TI (IS_TIMER) in the guest’s own ESTAT, by gcsr_xchg.',
      zh: '客户机没有数到三个节拍。main.c 的空 4：每个节拍都用 gcsr_xchg 在客户机自己的 ESTAT 里置 TI（IS_TIMER）。',
    },
  ],
};
