/* Start of a kernel: BSS, stack, all units on; then bench_main, its result in hexadecimal on the UART, and power off. */
#include "../lib/clear_bss.h"
#include "bench.h"

  .section .text.boot, "ax"
  .globl _start
_start:
  clear_bss
  la.pcrel $sp, __stack_top
  ori $t0, $zero, 7
  csrwr $t0, 2                    /* EUEN: FPE, SXE, ASXE */
  bl bench_main

  li.w $t0, BENCH_UART
  ori $t1, $zero, 60
3:
  srl.d $t2, $a0, $t1
  andi $t2, $t2, 15
  ori $t3, $zero, 10
  sltu $t3, $t2, $t3
  ori $t4, $zero, 'a' - 10
  ori $t5, $zero, '0'
  masknez $t4, $t4, $t3
  maskeqz $t5, $t5, $t3
  or $t4, $t4, $t5
  add.d $t2, $t2, $t4
  st.b $t2, $t0, 0
  addi.d $t1, $t1, -4
  bge $t1, $zero, 3b
  ori $t2, $zero, 10
  st.b $t2, $t0, 0
  li.w $t0, BENCH_POWER
  ori $t1, $zero, BENCH_POWER_OFF
  st.b $t1, $t0, 0
4:
  b 4b
