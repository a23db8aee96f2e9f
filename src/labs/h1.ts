import type { Lab } from './lab.ts';

export const H1: Lab = {
  name: 'h1',
  title: 'A guest of one instruction, and its exit',
  steps: [1, 2, 3, 4, 5],
  files: ['main.c', 'switch.S', 'guest.S'],
  prints: [
    'h1: LVZ version 1',
    'h1: exit, cause 0x17, hypercall 1',
    'h1: exit, cause 0x17, hypercall 2',
    'h1: exit, cause 0x17, hypercall 3',
    'h1: end',
  ],
  limit: 12_000_000,
  atEntry: [
    {
      ...{ bank: 'guest', csr: 'CRMD', field: 'DA', value: 1, step: 4 },
      hint: 'Hole 3 of main.c: the CRMD of the guest’s own bank begins with DA = 1, by gcsr_write. With neither DA nor PG the manual leaves it undefined.',
    },
    {
      ...{ bank: 'host', csr: 'GTLBC', field: 'USETGID', value: 1, step: 2 },
      hint: 'Host mode is not complete: hole 2 of main.c sets GTLBC.USETGID.',
    },
  ],
  mistakes: [
    {
      when: { printed: /exit, cause 0x3$/, expected: /hypercall 1$/ },
      step: 5,
      hint: 'The guest could not fetch its first instruction (PIF): ERA is not GUEST_START. Hole 3 of main.c gives the vCPU its PC, hole 4 of switch.S puts it into ERA.',
    },
    {
      when: { printed: /no LVZ/ },
      step: 1,
      hint: 'This machine has LVZ. Hole 1 of main.c: CPUCFG word 2, bit 10 says so, bits 13:11 are the version.',
    },
    {
      when: { printed: /LVZ version/, expected: /LVZ version/ },
      step: 1,
      hint: 'Hole 1 of main.c: the version is in bits 13:11 of CPUCFG word 2, so shift by 11 and keep 3 bits.',
    },
    {
      when: { rule: ['pgm-set'] },
      step: 5,
      hint: 'Hole 4 of switch.S: GSTAT.PGM is what makes an ertn enter a guest.',
    },
    {
      when: { never: true, printed: /exit, cause/ },
      step: 5,
      hint: 'The ertn of enter_guest stayed in the host, which then took an exception of its own. Hole 4 of switch.S sets what that ertn needs: GSTAT.PGM and GID, ERA, PGDL and the others.',
    },
    {
      when: { rule: ['gid'] },
      step: 3,
      hint: 'Hole 3 of main.c gives the VM its GID; hole 4 of switch.S puts it into GSTAT.',
    },
    {
      when: { rule: ['tgid-gid'] },
      step: 5,
      hint: 'Hole 4 of switch.S: GTLBC.TGID must have the GID of the guest, as GSTAT.GID has.',
    },
    {
      when: { rule: ['entry-pc'] },
      step: 5,
      hint: 'Hole 4 of switch.S: ERA holds the PC with which the guest goes on; hole 3 of main.c gives the first one.',
    },
    {
      when: { rule: ['entry-mode'] },
      step: 4,
      hint: 'Hole 3 of main.c: the CRMD of the guest’s own bank begins with DA = 1, by gcsr_write.',
    },
    {
      when: { rule: ['stage2-root'] },
      step: 5,
      hint: 'Hole 4 of switch.S: PGDL; hole 3 of main.c: the table’s physical address in the vCPU.',
    },
    { when: { audit: /PRMD\.PIE = 0/ }, step: 5, hint: 'Hole 4 of switch.S: PRMD.PIE.' },
    {
      when: { rule: ['skip', 'skip-once'] },
      step: 5,
      hint: 'Hole 6 of main.c: PC is still on the hvcl after the exit, so 4 must be added, once.',
    },
    { when: { rule: ['pgm-cleared'] }, step: 5, hint: 'Hole 5 of switch.S: GSTAT.PGM = 0 at the exit.' },
    {
      when: { audit: /PGM/ },
      step: 5,
      hint: 'Hole 5 of switch.S: GSTAT.PGM = 0 at the exit, or the next ertn of the host enters the guest.',
    },
    {
      when: { audit: /TGID/ },
      step: 5,
      hint: 'Hole 5 of switch.S: GTLBC.TGID = 0 at the exit, or the host fills entries of the guest.',
    },
    {
      when: { printed: /hypercall \d+$/, expected: /hypercall 1$/ },
      step: 5,
      hint: 'Hole 6 of main.c: the code is in bits 14:0 of BADI, which hole 5 of switch.S saves.',
    },
    {
      when: { printed: /hypercall 2$/, expected: /hypercall 3$/ },
      step: 5,
      hint: 'The guest has not gone on behind its last exit: hole 5 of switch.S saves ERA in VCPU_PC, at every exit.',
    },
    {
      when: { printed: /exit, cause 0x0$/, expected: /cause 0x17/ },
      step: 5,
      hint: 'Hole 5 of switch.S: the cause is in ESTAT, which must be saved before anything else happens.',
    },
  ],
};
