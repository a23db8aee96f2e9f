import type { Lab } from './lab.ts';

export const H2: Lab = {
  name: 'h2',
  title: 'A stage-2 fault: map, or emulate',
  steps: [7],
  files: ['main.c', 'guest.S'],
  prints: [
    'h2: PIS at 0x600008: mapped',
    "h2: PIS at 0x1fe001e0: printed 'Z'",
    'h2: PIL at 0x800000: mapped',
    "h2: PIS at 0x1fe001e0: printed '0'",
    'h2: end',
  ],
  limit: 12_000_000,
  atEntry: [],
  mistakes: [
    {
      when: { rule: ['stage2-root'], printed: /PIF at 0x200000$/ },
      step: 7,
      hint: 'The table of the VM is empty, so not even the guest’s code is mapped: hole 1 of main.c writes the entry.',
    },
    {
      when: { rule: ['stage2-entry', 'image-loaded', 'no-skip-after-repair', 'invtlb'], printed: /PIF at 0x200000$/ },
      step: 7,
      hint: 'The guest’s own code is not mapped rightly: hole 1 of main.c needs the frame with the flags PTE_RAM, at index gpa >> BLOCK_SHIFT.',
    },
    {
      when: { printed: /PIF at 0x200000$/ },
      step: 7,
      hint: 'The guest’s own code is not mapped where it is looked up: hole 1 of main.c writes the entry with index gpa >> BLOCK_SHIFT.',
    },
    {
      when: { rule: ['invtlb'] },
      step: 7,
      hint: 'The table has the page, and the TLB has still that nothing is mapped. Hole 2 of main.c: invtlb 0x16, GID in bits 23:16; hole 3 must call it after the change.',
    },
    {
      when: { rule: ['no-skip-after-repair'] },
      step: 7,
      hint: 'Hole 3 of main.c: after a page has been mapped the guest executes the same instruction again, so PC stays.',
    },
    {
      when: { rule: ['skip'], cause: /stage 2 still maps nothing at GPA 0x(6|8)\w{5}\b/ },
      step: 7,
      hint: 'Hole 3 of main.c: nothing is mapped at this address yet; map_block is for that.',
    },
    {
      when: { rule: ['skip'] },
      step: 7,
      hint: 'Hole 4 of main.c: a device access is done by the hypervisor, so the guest goes on behind it: 4 to its PC.',
    },
    { when: { rule: ['skip-once'] }, step: 7, hint: 'Hole 4 of main.c: 4 is added to PC, once.' },
    {
      when: { rule: ['stage2-entry'] },
      step: 7,
      hint: 'Hole 1 of main.c: the entry must be valid and writable, and its frame must be RAM: PTE_RAM has the flags.',
    },
  ],
};
