/* Control and status registers (Vol. 1, chapter 7). */
#include "conformance.h"
  PROGRAM "CSRs"
  # Manual: 4.2.1, 7.4.16
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
  # Manual: 7.4.10
  li.d $t0, -1
  csrwr $t0, EENTRY
  csrrd $s0, EENTRY
  la.pcrel $t0, trap_entry
  csrwr $t0, EENTRY
  andi $s0, $s0, 0xfff
  CHECK "EENTRY is aligned to pages", $s0, 0
  # Manual: 7.4.12
  csrrd $s0, CPUID
  bstrpick.d $s0, $s0, 8, 0
  CHECK "CPUID of the first CPU", $s0, 0
  # Manual: 7.5.4
  csrrd $s0, ASID
  bstrpick.d $s0, $s0, 23, 16
  CHECK "ASID has 10 bits", $s0, 10
  li.d $t0, -1
  csrwr $t0, TID
  csrrd $s0, TID
  csrwr $zero, TID
  # Manual: 7.2.2, 7.6.1
  CHECK "TID has 32 bits and reads with its sign", $s0, -1
  # Manual: 7.2.2, 7.5.1
  li.w $t0, 0x80000000
  csrwr $t0, TLBIDX
  csrrd $s0, TLBIDX
  csrwr $zero, TLBIDX
  CHECK "so does TLBIDX, whose NE is bit 31", $s0, -0x80000000
  # Manual: 7.2.2, 7.5.8
  csrrd $s1, PWCL
  li.d $t0, 0xc0000000
  csrwr $t0, PWCL
  csrrd $s0, PWCL
  csrwr $s1, PWCL
  CHECK "and PWCL", $s0, -0x40000000
  # Manual: 7.5.2
  li.d $t0, 0x800000003fff
  csrwr $t0, TLBEHI
  csrrd $s0, TLBEHI
  csrwr $zero, TLBEHI
  CHECK "TLBEHI extends bit VALEN-1 of its page number", $s0, 0xffff800000002000
  # Manual: 7.5.16
  li.d $t0, 0x800000003fff
  csrwr $t0, TLBREHI
  csrrd $s0, TLBREHI
  csrwr $zero, TLBREHI
  CHECK "TLBREHI does too", $s0, 0xffff80000000203f
  # Manual: 7.5.3, 7.5.15
  li.d $t0, -1
  csrwr $t0, TLBELO0
  csrrd $s0, TLBELO0
  csrwr $zero, TLBELO0
  CHECK "TLBELO0 has no bits 11:7 and 60:48", $s0, 0xe000fffffffff07f
  li.d $t0, -1
  csrwr $t0, TLBRELO1
  csrrd $s0, TLBRELO1
  csrwr $zero, TLBRELO1
  CHECK "nor has TLBRELO1", $s0, 0xe000fffffffff07f
  # Manual: 7.4.4
  csrrd $s1, MISC
  li.w $t0, 0xe
  li.w $t1, 0xe
  csrxchg $t0, $t1, MISC
  csrrd $s0, MISC
  csrwr $s1, MISC
  andi $s0, $s0, 0x1f
  CHECK "MISC.VA32L1 to VA32L3 are writable", $s0, 0xe
  # Manual: 7.7.1
  li.w $t0, 1
  li.w $t1, 1
  csrxchg $t0, $t1, MERRCTL
  csrrd $s0, MERRCTL
  csrxchg $zero, $t1, MERRCTL
  andi $s0, $s0, 1
  CHECK "MERRCTL.IsMERR is read-only", $s0, 0
  # Manual: 7.9.3, 7.9.6
  li.w $t0, 1
  csrwr $t0, MWP0 + 2
  csrrd $s0, MWP0 + 2
  csrwr $zero, MWP0 + 2
  CHECK "MWP0CFG3.DMOnly is read-only outside debug mode", $s0, 0
  li.w $t0, 1
  csrwr $t0, FWP0 + 2
  csrrd $s0, FWP0 + 2
  csrwr $zero, FWP0 + 2
  CHECK "so is FWP0CFG3.DMOnly", $s0, 0
  # Manual: 4.2.2.1
  li.d $t0, 0x100000000
  iocsrrd.w $s0, $t0
  CHECK "an IOCSR above 4 GiB is not the one below", $s0, 0
  FORGET
  # Manual: 7.2.3, 4.2.1
  csrrd $s0, 0x3ff0
  CHECK "a number without register reads 0", $s0, 0
  li.d $t0, -1
  csrwr $t0, 0x3ff0
  csrrd $s0, 0x3ff0
  CHECK "and ignores writes", $s0, 0
  NOT_TRAPPED "without an exception"
  # Manual: 7.4.13
  csrrd $s0, PRCFG1
  andi $s0, $s0, 15
  CHECK "PRCFG1 counts 8 SAVE registers", $s0, 8
  # Manual: 7.5.5, 7.5.6, 7.5.7
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
  # Manual: 5.1
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
  # Manual: 7.6.4
  rdtime.d $s0, $zero
  rdtime.d $s1, $zero
  sltu $s0, $s1, $s0
  CHECK "the stable counter does not run backwards", $s0, 0
  END_PROGRAM
