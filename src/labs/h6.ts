import type { Lab } from './lab.ts';

export const H6: Lab = {
  name: 'h6',
  title: 'A guest with its own paging: refill in both worlds',
  language: 'C',
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
      zh: '这是宿主的重填处理程序。refill.S 的空 1：从 PGD 中的根用 ldpte 取偶页和奇页，再执行 tlbfill。',
    },
    {
      when: { rule: ['refill-fills'], cause: /<guest_refill/ },
      step: 7,
      hint: 'This is the handler of the guest. Hole 4 of guest.S: lddir, ldpte of both pages, then tlbfill.',
      zh: '这是客户机的重填处理程序。guest.S 的空 4：lddir，两页的 ldpte，再 tlbfill。',
    },
    {
      when: { rule: ['walk-geometry'], cause: /<refill/ },
      step: 7,
      hint: 'This is the handler of the host. Hole 1 of refill.S: the VM has one table and no directory, so there is no lddir.',
      zh: '这是宿主的重填处理程序。refill.S 的空 1：VM 只有一张页表，没有目录，所以不用 lddir。',
    },
    {
      when: { rule: ['paging-on'] },
      step: 7,
      hint: 'Paging is on, and the guest’s tables do not lead to its code. Hole 2 of guest.S: PGDL is the directory, and PWCL describes two levels (GEOMETRY).',
      zh: '分页已经打开，但从客户机的页表到不了它的代码。guest.S 的空 2：PGDL 是目录，PWCL 描述两级页表（GEOMETRY）。',
    },
    {
      when: { rule: ['walk-geometry', 'root-written'] },
      step: 7,
      hint: 'Hole 2 of guest.S: PGDL is the directory, and PWCL describes two levels (GEOMETRY), before paging is on.',
      zh: 'guest.S 的空 2：打开分页之前，PGDL 是目录，PWCL 描述两级页表（GEOMETRY）。',
    },
    {
      when: { audit: /VM 1 .* never wrote TLBRENTRY/ },
      step: 7,
      hint: 'Hole 2 of guest.S: the guest has a refill handler and does not say where: its TLBRENTRY is the address of guest_refill.',
      zh: 'guest.S 的空 2：客户机有重填处理程序，却没有说明它在哪里：TLBRENTRY 是 guest_refill 的地址。',
    },
    {
      when: { rule: ['vector-written', 'refill-physical', 'vector-aligned'] },
      step: 7,
      hint: 'Hole 2 of guest.S: the guest’s TLBRENTRY is the address of guest_refill, taken before paging is on, so that it is a physical one.',
      zh: 'guest.S 的空 2：客户机的 TLBRENTRY 是 guest_refill 的地址，要在打开分页之前取得，这样才是物理地址。',
    },
    {
      when: { rule: ['handler-stack'], cause: /<guest_vector>/ },
      step: 7,
      hint: 'What the guest’s refill handler fills maps nothing, not even guest_vector, though the tables have its page. Hole 4 of guest.S: lddir $t0, $t0, 1 comes before ldpte.',
      zh: '客户机的重填处理程序填入的表项没有映射任何东西，连 guest_vector 也没有，尽管页表里有这一页。guest.S 的空 4：ldpte 之前要有 lddir $t0, $t0, 1。',
    },
    {
      when: { rule: ['entry-mode'] },
      step: 7,
      hint: 'Hole 3 of guest.S: PG = 1 and DA = 0 in one csrxchg of CRMD, with both bits in the mask.',
      zh: 'guest.S 的空 3：对 CRMD 用一条 csrxchg 令 PG = 1、DA = 0，掩码包含这两位。',
    },
    {
      when: { printed: /cause 0x2$|cause 0x1$/, expected: /reads 0x600d/ },
      step: 7,
      hint: 'The guest has used DATA_VA as a guest-physical address, which stage 2 does not map: paging is not on. Hole 3 of guest.S.',
      zh: '客户机把 DATA_VA 当成了客户机物理地址，而第二阶段没有映射它：分页没有打开。见 guest.S 的空 3。',
    },
    {
      when: { printed: /exception in the guest, cause 0x[123]$/ },
      step: 7,
      hint: 'The guest’s own tables map nothing at the address: look at what hole 4 of guest.S loads, and at PWCL in hole 2.',
      zh: '客户机自己的页表没有映射这个地址：看 guest.S 的空 4 取了什么，以及空 2 的 PWCL。',
    },
  ],
};
