import type { Lab } from './lab.ts';

export const H6: Lab = {
  name: 'h6',
  title: 'A guest with its own paging: refill in both worlds',
  steps: [7],
  files: ['main.c', 'refill.S', 'guest.S'],
  prints: ['h6: the guest reads 0x600d', 'h6: at its physical address is 0x600d', 'h6: end'],
  limit: 12_000_000,
  atEntry: [],
  mistakes: [
    {
      when: { rule: ['refill-fills'], cause: /<refill/ },
      step: 7,
      hint: 'This is the handler of the host. Hole 1 of refill.S: ldpte of the even and of the odd page from the root in PGD, then tlbfill.',
    },
    {
      when: { rule: ['refill-fills'], cause: /<guest_refill/ },
      step: 7,
      hint: 'This is the handler of the guest. Hole 4 of guest.S: lddir, ldpte of both pages, then tlbfill.',
    },
    {
      when: { rule: ['walk-geometry'], cause: /<refill/ },
      step: 7,
      hint: 'This is the handler of the host. Hole 1 of refill.S: the VM has one table and no directory, so there is no lddir.',
    },
    {
      when: { rule: ['paging-on'] },
      step: 7,
      hint: 'Paging is on, and the guest’s tables do not lead to its code. Hole 2 of guest.S: PGDL is the directory, and PWCL describes two levels (GEOMETRY).',
    },
    {
      when: { rule: ['walk-geometry', 'root-written'] },
      step: 7,
      hint: 'Hole 2 of guest.S: PGDL is the directory, and PWCL describes two levels (GEOMETRY), before paging is on.',
    },
    {
      when: { audit: /VM 1 .* never wrote TLBRENTRY/ },
      step: 7,
      hint: 'Hole 2 of guest.S: the guest has a refill handler and does not say where: its TLBRENTRY is the address of guest_refill.',
    },
    {
      when: { rule: ['vector-written', 'refill-physical', 'vector-aligned'] },
      step: 7,
      hint: 'Hole 2 of guest.S: the guest’s TLBRENTRY is the address of guest_refill, taken before paging is on, so that it is a physical one.',
    },
    {
      when: { rule: ['handler-stack'], cause: /<guest_vector>/ },
      step: 7,
      hint: 'What the guest’s refill handler fills maps nothing, not even guest_vector, though the tables have its page. Hole 4 of guest.S: lddir $t0, $t0, 1 comes before ldpte.',
    },
    {
      when: { rule: ['entry-mode'] },
      step: 7,
      hint: 'Hole 3 of guest.S: PG = 1 and DA = 0 in one csrxchg of CRMD, with both bits in the mask.',
    },
    {
      when: { printed: /cause 0x2$|cause 0x1$/, expected: /reads 0x600d/ },
      step: 7,
      hint: 'The guest has used DATA_VA as a guest-physical address, which stage 2 does not map: paging is not on. Hole 3 of guest.S.',
    },
    {
      when: { printed: /exception in the guest, cause 0x[123]$/ },
      step: 7,
      hint: 'The guest’s own tables map nothing at the address: look at what hole 4 of guest.S loads, and at PWCL in hole 2.',
    },
  ],
};
