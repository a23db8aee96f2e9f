/* The guest: waits for its own timer, then for three ticks that the hypervisor sends. */
#include "csr.h"
#define TIMER_TICKS 10000
#define TCFG_EN 1

  .section .guest, "ax"
  .globl guest
guest:
  la.pcrel $t0, guest_vector
  csrwr $t0, CSR_EENTRY
  li.w $t0, IS_TIMER
  csrwr $t0, CSR_ECFG
  li.w $t0, CRMD_IE
  csrxchg $t0, $t0, CSR_CRMD
  li.w $t0, TIMER_TICKS | TCFG_EN
  csrwr $t0, CSR_TCFG             /* native: the guest has a timer of its own */
  .globl guest_idle
guest_idle:
  idle 0                          /* GSPR: only the hypervisor may stop the CPU */
  beqz $s0, guest_idle
  move $a0, $s0
  hvcl 1
  move $s0, $zero
  li.w $t0, 3
  .globl guest_wait
guest_wait:
  bltu $s0, $t0, guest_wait
  move $a0, $s0
  hvcl 2

/* Counts its interrupts in s0. */
  .balign 4096
  .globl guest_vector
guest_vector:
  addi.d $s0, $s0, 1
  li.w $s1, 1
  csrwr $s1, CSR_TICLR
  ertn
