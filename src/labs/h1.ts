import type { Lab } from './lab.ts';

export const H1: Lab = {
  name: 'h1',
  title: 'A guest of one instruction, and its exit',
  language: 'C',
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
      zh: 'main.c 的空 3：客户机自己那一组 CSR 中，CRMD 从 DA = 1 开始，用 gcsr_write 设置。DA 和 PG 都为 0 时，手册没有定义行为。',
    },
    {
      ...{ bank: 'host', csr: 'GTLBC', field: 'USETGID', value: 1, step: 2 },
      hint: 'Host mode is not complete: hole 2 of main.c sets GTLBC.USETGID.',
      zh: '宿主模式还不完整：main.c 的空 2 要设置 GTLBC.USETGID。',
    },
  ],
  mistakes: [
    {
      when: { printed: /exit, cause 0x3$/, expected: /hypercall 1$/ },
      step: 5,
      hint: 'The guest could not fetch its first instruction (PIF): ERA is not GUEST_START. Hole 3 of main.c gives the vCPU its PC, hole 4 of switch.S puts it into ERA.',
      zh: '客户机取不到第一条指令（PIF）：ERA 不是 GUEST_START。main.c 的空 3 给 vCPU 设置 PC，switch.S 的空 4 把它写入 ERA。',
    },
    {
      when: { printed: /no LVZ/ },
      step: 1,
      hint: 'This machine has LVZ. Hole 1 of main.c: CPUCFG word 2, bit 10 says so, bits 13:11 are the version.',
      zh: '这台机器有 LVZ。main.c 的空 1：CPUCFG 第 2 个字的第 10 位表示有 LVZ，13:11 位是版本。',
    },
    {
      when: { printed: /LVZ version/, expected: /LVZ version/ },
      step: 1,
      hint: 'Hole 1 of main.c: the version is in bits 13:11 of CPUCFG word 2, so shift by 11 and keep 3 bits.',
      zh: 'main.c 的空 1：版本在 CPUCFG 第 2 个字的 13:11 位，所以要右移 11 位，再取低 3 位。',
    },
    {
      when: { rule: ['pgm-set'] },
      step: 5,
      hint: 'Hole 4 of switch.S: GSTAT.PGM is what makes an ertn enter a guest.',
      zh: 'switch.S 的空 4：正是 GSTAT.PGM 使 ertn 进入客户机。',
    },
    {
      when: { never: true, printed: /exit, cause/ },
      step: 5,
      hint: 'The ertn of enter_guest stayed in the host, which then took an exception of its own. Hole 4 of switch.S sets what that ertn needs: GSTAT.PGM and GID, ERA, PGDL and the others.',
      zh: 'enter_guest 的 ertn 仍留在宿主，随后宿主自己发生了例外。switch.S 的空 4 要设置这条 ertn 所需的一切：GSTAT.PGM 和 GID、ERA、PGDL 等。',
    },
    {
      when: { rule: ['gid'] },
      step: 3,
      hint: 'Hole 3 of main.c gives the VM its GID; hole 4 of switch.S puts it into GSTAT.',
      zh: 'main.c 的空 3 给 VM 分配 GID，switch.S 的空 4 把它写入 GSTAT。',
    },
    {
      when: { rule: ['tgid-gid'] },
      step: 5,
      hint: 'Hole 4 of switch.S: GTLBC.TGID must have the GID of the guest, as GSTAT.GID has.',
      zh: 'switch.S 的空 4：GTLBC.TGID 必须是客户机的 GID，与 GSTAT.GID 相同。',
    },
    {
      when: { rule: ['entry-pc'] },
      step: 5,
      hint: 'Hole 4 of switch.S: ERA holds the PC with which the guest goes on; hole 3 of main.c gives the first one.',
      zh: 'switch.S 的空 4：ERA 是客户机继续执行的 PC；第一个 PC 由 main.c 的空 3 给出。',
    },
    {
      when: { rule: ['entry-mode'] },
      step: 4,
      hint: 'Hole 3 of main.c: the CRMD of the guest’s own bank begins with DA = 1, by gcsr_write.',
      zh: 'main.c 的空 3：客户机自己那一组 CSR 中，CRMD 从 DA = 1 开始，用 gcsr_write 设置。',
    },
    {
      when: { rule: ['stage2-root'] },
      step: 5,
      hint: 'Hole 4 of switch.S: PGDL; hole 3 of main.c: the table’s physical address in the vCPU.',
      zh: 'switch.S 的空 4：PGDL；main.c 的空 3：vCPU 里保存的是页表的物理地址。',
    },
    {
      when: { audit: /PRMD\.PIE = 0/ },
      step: 5,
      hint: 'Hole 4 of switch.S: PRMD.PIE.',
      zh: 'switch.S 的空 4：PRMD.PIE。',
    },
    {
      when: { rule: ['skip', 'skip-once'] },
      step: 5,
      hint: 'Hole 6 of main.c: PC is still on the hvcl after the exit, so 4 must be added, once.',
      zh: 'main.c 的空 6：退出后 PC 仍指向 hvcl，所以要加 4，而且只加一次。',
    },
    {
      when: { rule: ['pgm-cleared'] },
      step: 5,
      hint: 'Hole 5 of switch.S: GSTAT.PGM = 0 at the exit.',
      zh: 'switch.S 的空 5：退出时令 GSTAT.PGM = 0。',
    },
    {
      when: { audit: /PGM/ },
      step: 5,
      hint: 'Hole 5 of switch.S: GSTAT.PGM = 0 at the exit, or the next ertn of the host enters the guest.',
      zh: 'switch.S 的空 5：退出时令 GSTAT.PGM = 0，否则宿主的下一条 ertn 会进入客户机。',
    },
    {
      when: { audit: /TGID/ },
      step: 5,
      hint: 'Hole 5 of switch.S: GTLBC.TGID = 0 at the exit, or the host fills entries of the guest.',
      zh: 'switch.S 的空 5：退出时令 GTLBC.TGID = 0，否则宿主填入的是客户机的 TLB 表项。',
    },
    {
      when: { printed: /hypercall \d+$/, expected: /hypercall 1$/ },
      step: 5,
      hint: 'Hole 6 of main.c: the code is in bits 14:0 of BADI, which hole 5 of switch.S saves.',
      zh: 'main.c 的空 6：编号在 BADI 的 14:0 位，BADI 由 switch.S 的空 5 保存。',
    },
    {
      when: { printed: /hypercall 2$/, expected: /hypercall 3$/ },
      step: 5,
      hint: 'The guest has not gone on behind its last exit: hole 5 of switch.S saves ERA in VCPU_PC, at every exit.',
      zh: '客户机没有从上一次退出之后继续：switch.S 的空 5 在每次退出时都要把 ERA 保存到 VCPU_PC。',
    },
    {
      when: { printed: /exit, cause 0x0$/, expected: /cause 0x17/ },
      step: 5,
      hint: 'Hole 5 of switch.S: the cause is in ESTAT, which must be saved before anything else happens.',
      zh: 'switch.S 的空 5：原因在 ESTAT 里，必须先保存它，再做别的事。',
    },
  ],
};
