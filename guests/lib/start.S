/* Guest start: BSS, stack, guest_main(a0 = GID, a1 = command line; a2 = vCPUs goes to guest_vcpus), all in direct address mode. */
  .section .text.boot, "ax"
  .globl _start
_start:
  la.pcrel $t0, __bss_start
  la.pcrel $t1, __bss_end
1:
  bgeu $t0, $t1, 2f
  st.d $zero, $t0, 0
  addi.d $t0, $t0, 8
  b 1b
2:
  la.pcrel $t0, guest_vcpus
  st.d $a2, $t0, 0
  la.pcrel $sp, __stack_top
  bl guest_main
  move $a0, $zero
  bl finish
