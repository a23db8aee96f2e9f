/* Start of a program for several CPUs of a bare board: CPU 0 comes from the loader, the others from their mailbox. */
#include "../../guests/lib/clear_bss.h"
#include "../../src/hv/csr.h"

  .section .text.boot, "ax"
  .globl _start
_start:
  clear_bss
  move $a0, $a1                    /* the command line */
  la.pcrel $sp, __stack_top
  b smp_main

  .globl secondary_start
secondary_start:
  csrrd $a0, CSR_CPUID
  la.pcrel $sp, secondary_stacks
  addi.d $t0, $a0, 1
  slli.d $t0, $t0, 13              /* stacks of 8 KiB */
  add.d $sp, $sp, $t0
  b secondary_main

/* The general exception vector: saves what C may change. */
  .macro caller_saved op
  .set place, 0
  .irp r, ra, a0, a1, a2, a3, a4, a5, a6, a7, t0, t1, t2, t3, t4, t5, t6, t7, t8
  \op $\r, $sp, place
  .set place, place + 8
  .endr
  .endm

  .balign 4096
  .globl vector
vector:
  addi.d $sp, $sp, -144
  caller_saved st.d
  csrrd $a0, CSR_ESTAT
  bl interrupt
  caller_saved ld.d
  addi.d $sp, $sp, 144
  ertn

/* u64 code_page(void): returns what its first instruction says, which CPU 0 rewrites; data in the same page. */
  .balign 4096
  .globl code_page, code_page_data
code_page:
  ori $a0, $zero, 0
  ret
  .balign 64
code_page_data:
  .fill 8, 8, 0
  .balign 4096
