/* Control and status registers (Vol. 1, chapter 7). */
#include "conformance.h"
  PROGRAM "CSRs"
  li.d $t0, 0x1122334455667788
  csrwr $t0, SAVE2
  li.d $s0, 0xffffffffffffffff
  li.d $s1, 0xff00
  csrxchg $s0, $s1, SAVE2
  CHECK "csrxchg gives the old value", $s0, 0x1122334455667788
  csrrd $s0, SAVE2
  CHECK "csrxchg writes the bits of its mask", $s0, 0x112233445566ff88
  li.d $s0, 5
  csrwr $s0, SAVE2
  CHECK "csrwr gives the old value", $s0, 0x112233445566ff88
  li.d $t0, -1
  csrwr $t0, EENTRY
  csrrd $s0, EENTRY
  la.pcrel $t0, trap_entry
  csrwr $t0, EENTRY
  andi $s0, $s0, 0xfff
  CHECK "EENTRY is aligned to pages", $s0, 0
  csrrd $s0, CPUID
  bstrpick.d $s0, $s0, 8, 0
  CHECK "CPUID of the first CPU", $s0, 0
  csrrd $s0, ASID
  bstrpick.d $s0, $s0, 23, 16
  CHECK "ASID has 10 bits", $s0, 10
  li.d $t0, -1
  csrwr $t0, TID
  csrrd $s0, TID
  csrwr $zero, TID
  CHECK_W "TID has 32 bits", $s0, 0xffffffff
  csrrd $s0, 0x3ff0
  CHECK "a number without register reads 0", $s0, 0
  li.d $t0, -1
  csrwr $t0, 0x3ff0
  csrrd $s0, 0x3ff0
  CHECK "and ignores writes", $s0, 0
  NOT_TRAPPED "without an exception"
  csrrd $s0, PRCFG1
  andi $s0, $s0, 15
  CHECK "PRCFG1 counts 8 SAVE registers", $s0, 8
  /* PGD is PGDL or PGDH by the top bit of the bad address. */
  li.d $t0, 0x1000
  csrwr $t0, PGDL
  li.d $t0, 0x2000
  csrwr $t0, PGDH
  csrwr $zero, BADV
  csrrd $s0, PGD
  CHECK "PGD for an address of the lower half", $s0, 0x1000
  li.d $t0, -1
  csrwr $t0, BADV
  csrrd $s0, PGD
  CHECK "PGD for an address of the upper half", $s0, 0x2000
  /* CPUCFG beyond the last word. */
  li.d $t0, 0x1000
  cpucfg $s0, $t0
  CHECK "CPUCFG beyond the last word is 0", $s0, 0
  CPUCFG $s0, 1, 1, 0
  CHECK "CPUCFG: LA64", $s0, 2
  CPUCFG $s0, 1, 11, 4
  CHECK "CPUCFG: 48 physical address bits", $s0, 47
  CPUCFG $s0, 2, 7, 6
  xori $s0, $s0, 2
  addi.d $s0, $s0, -0
  sltu $s0, $zero, $s0
  CHECK "CPUCFG: no LASX without LSX", $s0, 1
  # Manual: 2.2.10.4
  li.w $t0, -5
  csrwr $t0, TID
  rdtimel.w $s0, $s1
  slli.w $s2, $s0, 0
  sub.d $s0, $s0, $s2
  CHECK "rdtimel.w gives a sign-extended word", $s0, 0
  CHECK "and the counter's number, sign-extended", $s1, -5
  csrwr $zero, TID
  rdtimeh.w $s0, $zero
  rdtime.d $s1, $zero
  srai.d $s1, $s1, 32
  sub.d $s0, $s1, $s0
  sltui $s0, $s0, 2
  CHECK "rdtimeh.w gives the upper half", $s0, 1
  rdtime.d $s0, $zero
  rdtime.d $s1, $zero
  sltu $s0, $s1, $s0
  CHECK "the stable counter does not run backwards", $s0, 0
  END_PROGRAM
