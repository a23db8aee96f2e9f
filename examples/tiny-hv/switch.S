/* The world switch of a very small hypervisor. SAVE1 holds the address of the vCPU while its guest runs. */
#include "vcpu.h"

  .section .text.boot, "ax"
  .globl _start
_start:
  li.d $t0, 0x9000000000000011    /* a direct mapping window: cached, for PLV0 */
  csrwr $t0, 0x181
  li.d $t0, 0x8000000000000001    /* and an uncached one, for devices */
  csrwr $t0, 0x180
  la.abs $t0, 1f
  jr $t0
1:
  li.w $t1, 0xb0                  /* CRMD: PG instead of DA */
  csrwr $t1, 0x0
  la.abs $sp, stack_top
  la.abs $t0, refill
  bstrpick.d $t0, $t0, 47, 0
  csrwr $t0, 0x88                 /* TLBRENTRY: a physical address */
  li.w $t0, 21 | 9 << 5           /* PWCL: one table of 512 pages of 2 MiB, no directories */
  csrwr $t0, 0x1c
  csrwr $zero, 0x1d
  bl hypervisor

  .text
/* void enter_guest(struct vcpu *): returns after the next exit. */
  .globl enter_guest
  .type enter_guest, @function
enter_guest:
  addi.d $sp, $sp, -FRAME
  st.d $ra, $sp, 0
  st.d $fp, $sp, 8
  st.d $s0, $sp, 16
  st.d $s1, $sp, 24
  st.d $s2, $sp, 32
  st.d $s3, $sp, 40
  st.d $s4, $sp, 48
  st.d $s5, $sp, 56
  st.d $s6, $sp, 64
  st.d $s7, $sp, 72
  st.d $s8, $sp, 80
  st.d $tp, $sp, 88
  st.d $sp, $a0, VCPU_HOST_SP
  move $t0, $a0
  csrwr $t0, 0x31                 /* SAVE1: the vCPU */
  la.pcrel $t0, leave_guest
  csrwr $t0, 0xc                  /* EENTRY: where exits arrive */
  ld.d $t0, $a0, VCPU_PC
  csrwr $t0, 0x6                  /* ERA */
  ld.d $t0, $a0, VCPU_TABLE
  csrwr $t0, 0x19                 /* PGDL: the VM's stage-2 table */
  ld.d $t0, $a0, VCPU_GID
  slli.d $t1, $t0, 16
  li.w $t2, 0xff0000
  csrxchg $t1, $t2, 0x15          /* GTLBC.TGID */
  slli.d $t1, $t0, 16
  ori $t1, $t1, 2                 /* GSTAT.PGM: the next ertn enters a guest */
  li.w $t2, 0xff0002
  csrxchg $t1, $t2, 0x50
  li.w $t0, 4
  csrwr $t0, 0x1                  /* PRMD.PIE: the host's interrupts exit */
  .irp n, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  ld.d $r\n, $a0, 8 * \n
  .endr
  ld.d $a0, $a0, 8 * 4
  ertn
  .size enter_guest, . - enter_guest

  .balign 4096
  .globl leave_guest
  .type leave_guest, @function
leave_guest:
  csrwr $a0, 0x31                 /* a0: the vCPU, SAVE1: the guest's a0 */
  .irp n, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  st.d $r\n, $a0, 8 * \n
  .endr
  move $t1, $a0
  csrwr $t1, 0x31                 /* t1: the guest's a0, and SAVE1 is the vCPU again */
  st.d $t1, $a0, 8 * 4
  csrrd $t0, 0x6
  st.d $t0, $a0, VCPU_PC
  csrrd $t0, 0x5
  st.d $t0, $a0, VCPU_CAUSE
  li.w $t0, 2
  csrxchg $zero, $t0, 0x50        /* from now on ertn stays here */
  ld.d $sp, $a0, VCPU_HOST_SP
  ld.d $ra, $sp, 0
  ld.d $fp, $sp, 8
  ld.d $s0, $sp, 16
  ld.d $s1, $sp, 24
  ld.d $s2, $sp, 32
  ld.d $s3, $sp, 40
  ld.d $s4, $sp, 48
  ld.d $s5, $sp, 56
  ld.d $s6, $sp, 64
  ld.d $s7, $sp, 72
  ld.d $s8, $sp, 80
  ld.d $tp, $sp, 88
  addi.d $sp, $sp, FRAME
  ret
  .size leave_guest, . - leave_guest

/* A guest's address that the TLB does not have: from the stage-2 table at PGDL. */
  .balign 4096
refill:
  csrwr $t0, 0x8b
  csrrd $t0, 0x1b
  ldpte $t0, 0
  ldpte $t0, 1
  tlbfill
  csrrd $t0, 0x8b
  ertn

/* The guests: one asks for letters to be printed, the other for digits. */
  .balign 4096
  .globl letters
letters:
  li.w $a0, 'a'
  .globl letters_loop
letters_loop:
  hvcl 1
  addi.d $a0, $a0, 1
  b letters_loop

  .globl digits
digits:
  li.w $a0, '0'
1:
  hvcl 1
  addi.d $a0, $a0, 1
  b 1b

  .bss
  .balign 4096
  .space 0x4000
stack_top:
