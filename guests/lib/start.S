/* Guest start: BSS, stack, guest_main(a0 = GID, a1 = command line; a2 = vCPUs goes to guest_vcpus), all in direct address mode. */
#include "clear_bss.h"

  .section .text.boot, "ax"
  .globl _start
_start:
  clear_bss
  la.pcrel $t0, guest_vcpus
  st.d $a2, $t0, 0
  la.pcrel $sp, __stack_top
  bl guest_main
  move $a0, $zero
  bl finish
