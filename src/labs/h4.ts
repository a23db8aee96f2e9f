import type { Lab } from './lab.ts';

export const H4: Lab = {
  name: 'h4',
  title: 'An MMIO device, decoded from BADI',
  language: 'C',
  steps: [7],
  files: ['main.c', 'guest.S'],
  prints: [
    'h4: the guest says hi',
    'h4: a0 = 0x123456789abcfffe',
    'h4: a0 = 0xfe',
    'h4: a0 = 0xfffffffffffffffe',
    'h4: a0 = 0xffffffff9abcfffe',
    'h4: a0 = 0x68',
    'h4: a0 = 0x0',
    'h4: end',
  ],
  limit: 12_000_000,
  atEntry: [],
  mistakes: [
    {
      when: { rule: ['skip'] },
      step: 7,
      hint: 'Hole 4 of main.c: the access is done, so 4 is added to the guest’s PC.',
      zh: 'main.c 的空 4：访问已经完成，所以客户机的 PC 要加 4。',
    },
    {
      when: { rule: ['skip-once'] },
      step: 7,
      hint: 'Hole 4 of main.c: 4 is added to PC, once.',
      zh: 'main.c 的空 4：PC 加 4，只加一次。',
    },
    {
      when: { rule: ['guest-registers'] },
      step: 7,
      hint: 'A load has changed another register than its own. Hole 1 of main.c: rd is in bits 4:0 of the word; hole 3 writes v->regs[a.rd] alone.',
      zh: '一次读改变了别的寄存器。main.c 的空 1：rd 在指令字的 4:0 位；空 3 只写 v->regs[a.rd]。',
    },
    {
      when: { printed: /^h4: the guest says $/ },
      step: 7,
      hint: 'Hole 1 of main.c: every word with 0xa0 to 0xaa in bits 31:22 is a load or store; a.valid says so. Hole 2 passes a stored byte to the device.',
      zh: 'main.c 的空 1：31:22 位为 0xa0 到 0xaa 的指令字都是读或写，用 a.valid 表示。空 2 把写的字节交给设备。',
    },
    {
      when: { printed: /^h4: the guest says/, expected: /says hi/ },
      step: 7,
      hint: 'The wrong byte was stored. Holes 1 and 2 of main.c: rd is in bits 4:0 of the word, and v->regs[a.rd] is what the guest stores.',
      zh: '写入的字节不对。main.c 的空 1 和空 2：rd 在指令字的 4:0 位，客户机写的是 v->regs[a.rd]。',
    },
    {
      when: { expected: /0x123456789abcfffe/ },
      step: 7,
      hint: 'A store of 64 bits and a load of 64 bits must bring the same number. Look at a.bits and a.rd of hole 1, then at holes 2 and 3 of main.c.',
      zh: '写 64 位再读 64 位，必须得到同一个数。先看空 1 的 a.bits 和 a.rd，再看 main.c 的空 2 和空 3。',
    },
    {
      when: { printed: /0xfffffffffffffffe/, expected: /0xfe$/ },
      step: 7,
      hint: 'ld.bu extends by zeros: a.sign of hole 1 is 0 for 0xa8 to 0xaa. Hole 3 of main.c extends the sign only with a.sign.',
      zh: 'ld.bu 用零扩展：对 0xa8 到 0xaa，空 1 的 a.sign 为 0。main.c 的空 3 只在 a.sign 为 1 时才做符号扩展。',
    },
    {
      when: { printed: /0x123456789abcfffe/, expected: /0xfe$/ },
      step: 7,
      hint: 'A load of 8 bits has brought 64. Hole 1 of main.c: a.bits is 8 << (op & 3); hole 3 takes no more bits than that.',
      zh: '读 8 位却得到了 64 位。main.c 的空 1：a.bits 是 8 << (op & 3)；空 3 只取这么多位。',
    },
    {
      when: { printed: /a0 = 0x(fe|9abcfffe)$/, expected: /0xffffffff/ },
      step: 7,
      hint: 'ld.b, ld.h and ld.w extend the sign: holes 1 (a.sign) and 3 of main.c.',
      zh: 'ld.b、ld.h 和 ld.w 做符号扩展：见 main.c 的空 1（a.sign）和空 3。',
    },
    {
      when: { expected: /0x68$/ },
      step: 7,
      hint: 'st.h has stored a halfword, and ld.hu reads it back: a.bits of hole 1, and the low bits in holes 2 and 3 of main.c.',
      zh: 'st.h 写半字，ld.hu 再读回来：见空 1 的 a.bits，以及 main.c 的空 2 和空 3 中的低位。',
    },
    {
      when: { expected: /a0 = 0x0$/ },
      step: 7,
      hint: 'ld.d to $zero must change nothing: r0 is always 0. Hole 3 of main.c: do not write v->regs[0].',
      zh: 'ld.d 到 $zero 不应改变任何东西：r0 恒为 0。main.c 的空 3：不要写 v->regs[0]。',
    },
  ],
};
