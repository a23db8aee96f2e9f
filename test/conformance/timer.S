/* Timer and interrupts (Vol. 1, 6.1 and 7.6). */
#include "conformance.h"
  .macro TIMER_PENDING reg
  csrrd \reg, ESTAT
  bstrpick.d \reg, \reg, 11, 11
  .endm
  PROGRAM "timer"
  csrwr $zero, TCFG
  li.w $t0, 1
  csrwr $t0, TICLR
  TIMER_PENDING $s0
  CHECK "nothing is pending with the timer off", $s0, 0
  # Manual: 7.6.2, 7.6.3
  li.w $t0, 10000 | 1
  csrwr $t0, TCFG
  csrrd $s0, TVAL
  li.w $t0, 10000
  sltu $s0, $t0, $s0
  CHECK "TVAL counts down from InitVal", $s0, 0
1:
  TIMER_PENDING $s0
  beqz $s0, 1b
  CHECK "one shot: the interrupt comes", $s0, 1
  # Manual: 7.6.5
  li.w $t0, 1
  csrwr $t0, TICLR
  TIMER_PENDING $s0
  CHECK "TICLR.CLR takes it away", $s0, 0
  rdtime.d $s1, $zero
  li.w $t0, 50000
  add.d $s1, $s1, $t0
2:
  rdtime.d $s0, $zero
  bltu $s0, $s1, 2b
  TIMER_PENDING $s0
  CHECK "one shot: and does not come again", $s0, 0
  # Manual: 7.6.2
  li.w $t0, 1000 << 2 | 3
  csrwr $t0, TCFG
3:
  TIMER_PENDING $s0
  beqz $s0, 3b
  li.w $t0, 1
  csrwr $t0, TICLR
4:
  TIMER_PENDING $s0
  beqz $s0, 4b
  CHECK "periodic: it comes again", $s0, 1
  csrrd $s0, TCFG
  andi $s0, $s0, 1
  CHECK "periodic: TCFG.En stays", $s0, 1
  csrwr $zero, TCFG
  li.w $t0, 1
  csrwr $t0, TICLR
  # Manual: 4.2.6.3
  /* An interrupt wakes from idle. */
  # Manual: 4.2.6.3, 6.1.4
  FORGET
  li.w $t0, 0x800
  csrwr $t0, ECFG
  li.w $t0, 100000 | 1
  csrwr $t0, TCFG
  li.w $t0, 4
  csrxchg $t0, $t0, CRMD
  idle 0
  li.w $t1, 4
  csrxchg $zero, $t1, CRMD
  NOTED $s0, trap_estat
  bstrpick.d $s0, $s0, 11, 11
  CHECK "the timer wakes from idle", $s0, 1
  TRAPPED "with an interrupt", 0
  csrwr $zero, ECFG
  li.w $t0, 1
  csrwr $t0, TICLR
  END_PROGRAM
