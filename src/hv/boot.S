/* First instructions: direct address mode at a physical address, interrupts off (docs/board.md, "Boot").
 * a0 = 1, a1 = command line, a2 = EFI system table, all physical. */
#include "csr.h"

  .section .text.boot, "ax"
  .globl _start
_start:
  /* The two windows every LoongArch kernel uses: 0x8000... for devices, 0x9000... for memory, PLV0 only. */
  li.d $t0, WINDOW_UNCACHED | DMW_PLV0
  csrwr $t0, CSR_DMW0
  li.d $t0, WINDOW_CACHED | DMW_CACHED | DMW_PLV0
  csrwr $t0, CSR_DMW1

  /* Leave direct address mode for the cached window. A refill return sets DA = 0 and PG = 1 and jumps in the
   * same instruction, so PC and mode always agree. */
  la.pcrel $t0, 1f
  li.d $t1, WINDOW_CACHED | 1      /* the window, and IsTLBR in bit 0 */
  or $t0, $t0, $t1
  csrwr $t0, CSR_TLBRERA
  csrwr $zero, CSR_TLBRPRMD                                /* PLV0, interrupts off, not into a guest */
  ertn
1:
  /* BSS and stack. */
  la.pcrel $t0, __bss_start
  la.pcrel $t1, __bss_end
2:
  st.d $zero, $t0, 0
  addi.d $t0, $t0, 8
  bltu $t0, $t1, 2b
  la.pcrel $sp, __stack_top
  li.w $fp, 0

  /* main(command line), through the window. */
  li.d $t0, WINDOW_CACHED
  or $a0, $a1, $t0
  bl hv_main
3:
  idle 0
  b 3b

/* The other CPUs start here, by the address in their mailbox 0. They enter the window in the same way, and each has its own stack. */
  .globl _start_secondary
_start_secondary:
  li.d $t0, WINDOW_UNCACHED | DMW_PLV0
  csrwr $t0, CSR_DMW0
  li.d $t0, WINDOW_CACHED | DMW_CACHED | DMW_PLV0
  csrwr $t0, CSR_DMW1
  la.pcrel $t0, 4f
  li.d $t1, WINDOW_CACHED | 1
  or $t0, $t0, $t1
  csrwr $t0, CSR_TLBRERA
  csrwr $zero, CSR_TLBRPRMD
  ertn
4:
  csrrd $t0, CSR_CPUID
  andi $t0, $t0, 0xff
  addi.d $t0, $t0, 1
  slli.d $t0, $t0, 14              /* stacks of 0x4000 bytes */
  la.pcrel $sp, secondary_stacks
  add.d $sp, $sp, $t0
  li.w $fp, 0
  bl hv_secondary
