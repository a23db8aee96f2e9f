/* The first instructions: windows, paging instead of direct addresses, a stack, the handlers of the host, then lab_main. */
#include "lab.h"

  .section .text.boot, "ax"
  .globl _start
_start:
  li.d $t0, WINDOW_CACHED | DMW_CACHED | DMW_PLV0
  csrwr $t0, CSR_DMW1
  li.d $t0, WINDOW_UNCACHED | DMW_PLV0
  csrwr $t0, CSR_DMW0
  la.abs $t0, 1f
  jr $t0
1:
  li.w $t0, CRMD_PG
  li.w $t1, CRMD_PG | CRMD_DA
  csrxchg $t0, $t1, CSR_CRMD
  la.abs $sp, stack_top
  li.w $fp, 0
  la.abs $t0, host_trap
  csrwr $t0, CSR_EENTRY
  la.abs $t0, refill
  bstrpick.d $t0, $t0, 47, 0      /* refill handlers run in direct address mode: a physical address */
  csrwr $t0, CSR_TLBRENTRY
  li.w $t0, BLOCK_SHIFT | 9 << 5  /* one table of 512 entries, no directories */
  csrwr $t0, CSR_PWCL
  csrwr $zero, CSR_PWCH
  bl lab_main

/* An exception of the host itself is a mistake: interrupts are off here. */
  .text
  .balign 4096
  .globl host_trap
host_trap:
  csrrd $a0, CSR_ESTAT
  csrrd $a1, CSR_ERA
  csrrd $a2, CSR_BADV
  la.abs $sp, stack_top
  bl host_exception
