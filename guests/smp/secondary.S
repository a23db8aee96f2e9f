/* Where a secondary vCPU begins (the address in its mailbox 0), the refill handler, and a hypercall that checks registers. */
#include "../../src/hv/csr.h"

  .text
  .globl secondary_start
secondary_start:
  csrrd $t0, CSR_CPUID
  addi.d $t1, $t0, 1
  slli.d $t1, $t1, 12              /* stacks of 4 KiB */
  la.pcrel $sp, secondary_stacks
  add.d $sp, $sp, $t1
  move $a0, $t0
  bl secondary_main
1:
  idle 0
  b 1b

/* Maps every page to the one in SAVE4: each vCPU has its own page at the same virtual address. */
  .balign 4096
  .globl smp_refill
smp_refill:
  csrwr $t0, CSR_TLBRSAVE
  csrrd $t0, CSR_SAVE4
  ori $t0, $t0, 0x13               /* V, D, cached */
  csrwr $t0, CSR_TLBRELO0
  csrrd $t0, CSR_SAVE4
  ori $t0, $t0, 0x13
  csrwr $t0, CSR_TLBRELO1
  csrrd $t0, CSR_TLBREHI
  bstrins.d $t0, $zero, 5, 0
  ori $t0, $t0, 12
  csrwr $t0, CSR_TLBREHI
  tlbfill
  csrrd $t0, CSR_TLBRSAVE
  ertn

/* u64 checked_call(u64 seed): a hypercall with values made of `seed` in all registers that it may not change;
 * returns how many have. */
  .globl checked_call
checked_call:
  addi.d $sp, $sp, -112
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8
  st.d $s\i, $sp, 8 * \i
  .endr
  st.d $fp, $sp, 72
  st.d $ra, $sp, 80
  st.d $a0, $sp, 88
  move $t0, $a0
  .irp r, s0, s1, s2, s3, s4, s5, s6, s7, s8, fp, ra, t1, t2, t3, t4, t5, t6, t7, t8, a2, a3, a4, a5, a6, a7, r21
  addi.d $t0, $t0, 7
  move $\r, $t0
  .endr
  li.w $a0, 99                     /* there is no such function: only the world switch happens */
  hvcl 0x100
  ld.d $t0, $sp, 88
  move $a1, $zero
  .irp r, s0, s1, s2, s3, s4, s5, s6, s7, s8, fp, ra, t1, t2, t3, t4, t5, t6, t7, t8, a2, a3, a4, a5, a6, a7, r21
  addi.d $t0, $t0, 7
  xor $a0, $t0, $\r
  sltu $a0, $zero, $a0
  add.d $a1, $a1, $a0
  .endr
  move $a0, $a1
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8
  ld.d $s\i, $sp, 8 * \i
  .endr
  ld.d $fp, $sp, 72
  ld.d $ra, $sp, 80
  addi.d $sp, $sp, 112
  ret
