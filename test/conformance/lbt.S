/* State of the binary translation extension (Vol. 3): scratch registers, flags, stack top. */
#include "conformance.h"
  PROGRAM "LBT state"
  CPUCFG $s0, 2, 18, 18
  NEEDS $s0, "no LBT (CPUCFG 2)"
  FORGET
  movscr2gr $s0, $scr0
  TRAPPED "without EUEN.BTE it raises BTD", BTD
  li.w $t0, 15
  csrwr $t0, EUEN
  li.d $s1, 0x1122334455667788
  movgr2scr $scr3, $s1
  movgr2scr $scr0, $zero
  movscr2gr $s0, $scr3
  CHECK "a scratch register holds 64 bits", $s0, 0x1122334455667788
  li.d $s1, -1
  x86mtflag $s1, 0x3f
  x86mfflag $s0, 0x3f
  CHECK "all six flags, at their places in EFLAGS", $s0, 0x8d5
  x86mtflag $zero, 0x08
  x86mfflag $s0, 0x3f
  CHECK "a mask writes its flags alone", $s0, 0x895
  x86mfflag $s0, 0x21
  CHECK "and reads them alone", $s0, 0x801
  x86mttop 7
  x86inctop
  x86mftop $s0
  CHECK "the stack top wraps upwards", $s0, 0
  x86dectop
  x86mftop $s0
  CHECK "and downwards", $s0, 7
  NOT_TRAPPED "without an exception"
  END_PROGRAM
