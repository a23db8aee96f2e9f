import type { Lab } from './lab.ts';

export const H2: Lab = {
  name: 'h2',
  title: 'A stage-2 fault: map, or emulate',
  language: 'C',
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
      zh: 'VM 的页表是空的，连客户机的代码也没有映射：main.c 的空 1 写入表项。',
    },
    {
      when: { rule: ['stage2-entry', 'image-loaded', 'no-skip-after-repair', 'invtlb'], printed: /PIF at 0x200000$/ },
      step: 7,
      hint: 'The guest’s own code is not mapped rightly: hole 1 of main.c needs the frame with the flags PTE_RAM, at index gpa >> BLOCK_SHIFT.',
      zh: '客户机自己的代码映射得不对：main.c 的空 1 要写入页框和标志 PTE_RAM，下标是 gpa >> BLOCK_SHIFT。',
    },
    {
      when: { printed: /PIF at 0x200000$/ },
      step: 7,
      hint: 'The guest’s own code is not mapped where it is looked up: hole 1 of main.c writes the entry with index gpa >> BLOCK_SHIFT.',
      zh: '客户机自己的代码没有映射到查找它的位置：main.c 的空 1 写表项时，下标是 gpa >> BLOCK_SHIFT。',
    },
    {
      when: { rule: ['invtlb'] },
      step: 7,
      hint: 'The table has the page, and the TLB has still that nothing is mapped. Hole 2 of main.c: invtlb 0x16, GID in bits 23:16; hole 3 must call it after the change.',
      zh: '页表里已经有这一页，而 TLB 里还是“没有映射”。main.c 的空 2：invtlb 0x16，GID 在 23:16 位；空 3 修改页表之后必须调用它。',
    },
    {
      when: { rule: ['no-skip-after-repair'] },
      step: 7,
      hint: 'Hole 3 of main.c: after a page has been mapped the guest executes the same instruction again, so PC stays.',
      zh: 'main.c 的空 3：映射好一页之后，客户机重新执行同一条指令，所以 PC 不变。',
    },
    {
      when: { rule: ['skip'], cause: /stage 2 still maps nothing at GPA 0x(6|8)\w{5}\b/ },
      step: 7,
      hint: 'Hole 3 of main.c: nothing is mapped at this address yet; map_block is for that.',
      zh: 'main.c 的空 3：这个地址还没有映射，应当调用 map_block。',
    },
    {
      when: { rule: ['skip'] },
      step: 7,
      hint: 'Hole 4 of main.c: a device access is done by the hypervisor, so the guest goes on behind it: 4 to its PC.',
      zh: 'main.c 的空 4：对设备的访问由 Hypervisor 完成，客户机从下一条指令继续：PC 加 4。',
    },
    {
      when: { rule: ['skip-once'] },
      step: 7,
      hint: 'Hole 4 of main.c: 4 is added to PC, once.',
      zh: 'main.c 的空 4：PC 加 4，只加一次。',
    },
    {
      when: { rule: ['stage2-entry'] },
      step: 7,
      hint: 'Hole 1 of main.c: the entry must be valid and writable, and its frame must be RAM: PTE_RAM has the flags.',
      zh: 'main.c 的空 1：表项必须有效、可写，页框必须是内存：PTE_RAM 含有这些标志。',
    },
  ],
};
