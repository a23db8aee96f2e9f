import type { Lab } from './lab.ts';

export const H5: Lab = {
  name: 'h5',
  title: 'Two VMs, their vCPUs, and GIDs',
  language: 'C',
  steps: [3, 4, 6],
  files: ['main.c', 'guest.S'],
  prints: [
    ...[1, 2, 3].flatMap((round) => [
      `h5: VM 1, vCPU A, count ${2 * round - 1}`,
      `h5: VM 1, vCPU B, count ${2 * round}`,
      `h5: VM 2, vCPU C, count ${round}`,
    ]),
    'h5: end',
  ],
  limit: 12_000_000,
  atEntry: [],
  mistakes: [
    {
      when: { rule: ['gid-shared'] },
      step: 3,
      hint: 'Hole 1 of main.c: each VM needs a GID of its own, vm + 1. The vCPUs of one VM share it.',
      zh: 'main.c 的空 1：每个 VM 要有自己的 GID，即 vm + 1。同一个 VM 的 vCPU 共用它。',
    },
    {
      when: { rule: ['gid', 'stage2-root', 'stage2-entry'] },
      step: 3,
      hint: 'Hole 1 of main.c: v->gid is vm + 1 (0 is the host’s), v->table the physical address of stage2[vm].',
      zh: 'main.c 的空 1：v->gid 是 vm + 1（0 是宿主的），v->table 是 stage2[vm] 的物理地址。',
    },
    {
      when: { audit: /GSTAT\.GID 0/ },
      step: 3,
      hint: 'Hole 1 of main.c: v->gid is vm + 1, because GID 0 is the host’s.',
      zh: 'main.c 的空 1：v->gid 是 vm + 1，因为 GID 0 属于宿主。',
    },
    {
      when: { printed: /VM 2, vCPU C, count 3/, expected: /VM 2, vCPU C, count 1/ },
      step: 3,
      hint: 'VM 2 has counted in the memory of VM 1. Hole 1 of main.c: the table and the GID are those of the VM, vm, and not of the vCPU.',
      zh: 'VM 2 在 VM 1 的内存里计数。main.c 的空 1：页表和 GID 属于 VM（vm），而不属于 vCPU。',
    },
    {
      when: { printed: /VM 1, vCPU B, count 1/ },
      step: 3,
      hint: 'The two vCPUs of VM 1 do not share its memory. Hole 1 of main.c: the table is that of the VM, stage2[vm], with vm = vm_of[n].',
      zh: 'VM 1 的两个 vCPU 没有共用内存。main.c 的空 1：页表是该 VM 的 stage2[vm]，其中 vm = vm_of[n]。',
    },
    {
      when: { printed: /vCPU (?!A,)/, expected: /vCPU A, count 3/ },
      step: 4,
      hint: 'vCPU A has found the letter of another vCPU in its SAVE0: its CSRs were not kept. Hole 4 of main.c saves the bank of the vCPU that had it (hole 2), and loads that of the next one (hole 3).',
      zh: 'vCPU A 在自己的 SAVE0 里看到了另一个 vCPU 的字母：它的 CSR 没有保存。main.c 的空 4 先保存原来占用这组 CSR 的 vCPU（空 2），再装入下一个 vCPU 的（空 3）。',
    },
    {
      when: { printed: /exit, cause/ },
      step: 4,
      hint: 'The CSRs of this vCPU are not its own. Holes 2 and 3 of main.c must have the same order, and hole 4 must load before each turn of another vCPU.',
      zh: '这个 vCPU 用的不是自己的 CSR。main.c 的空 2 和空 3 顺序必须一致，空 4 在每次换到另一个 vCPU 之前都要装入。',
    },
    {
      when: { audit: /guest CSR|bank/ },
      step: 4,
      hint: 'A vCPU runs with CSRs of another one. Hole 4 of main.c gives it the bank with its own: holes 2 and 3 save and load every CSR of the list.',
      zh: '一个 vCPU 带着另一个 vCPU 的 CSR 运行。main.c 的空 4 给它自己的那一组：空 2 和空 3 要保存、装入表中的每个 CSR。',
    },
  ],
};
