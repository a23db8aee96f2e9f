/* The smallest guest that shows the world switch: one hypercall, one MMIO loop, power-off. No stack, no C. */
#include "../lib/guest.h"

  .section .text.boot, "ax"
  .globl _start
_start:                         /* the guest's first instruction: reached by `ertn` in _run_guest */
  li.w $a0, HYPERCALL_PUTCHAR
  li.w $a1, 'H'
  .globl hello_hypercall
hello_hypercall:
  hvcl 0x100                    /* exit HVC: R.ERA stays on this instruction, the hypervisor skips it */

  li.w $t0, UART
  la.pcrel $t1, message
1:
  ld.bu $t2, $t1, 0
  beqz $t2, 2f
  .globl hello_mmio
hello_mmio:
  st.b $t2, $t0, 0              /* exit PIS: nothing is mapped at this GPA, the hypervisor emulates a UART */
  addi.d $t1, $t1, 1
  b 1b
2:
  li.w $t0, POWER
  li.w $t1, POWER_OFF
  .globl hello_poweroff
hello_poweroff:
  st.b $t1, $t0, 0              /* the power register: the hypervisor ends this guest */
3:
  b 3b

message:
  .asciz "ello from a LoongArch guest\n"
