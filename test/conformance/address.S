/* Addresses of 32 bits and reduced virtual addresses (Vol. 1, 5.2.2 and 5.2.3). */
#include "conformance.h"
#define VALID_PAGE 0x1f
#define HIGH 0x90000000
  /* Runs what follows at PLV 3; `label` is a number that names the place. */
  .macro USER label
  la.pcrel $t0, \label
  csrwr $t0, ERA
  li.w $t0, 3
  csrwr $t0, PRMD
  ertn
\label:
  .endm
  /* Back at PLV 0: a system call goes on at `label`. */
  .macro KERNEL label
  la.pcrel $t0, resume
  la.pcrel $t1, \label
  st.d $t1, $t0, 0
  syscall 0
\label:
  FORGET
  .endm

  PROGRAM "32-bit address mode, reduced addresses"
  la.pcrel $s0, data
  li.d $s1, 0x1122334455667788
  st.d $s1, $s0, 0
  # Manual: 5.2.2, 7.4.4
  li.w $t0, 8
  csrxchg $t0, $t0, MISC
  csrrd $s2, MISC
  bstrpick.d $s2, $s2, 3, 3
  CHECK "MISC.VA32L3 can be set", $s2, 1
  beqz $s2, reduced
  li.d $s2, 0xabcd123400000000
  or $s2, $s2, $s0
  USER user1
  ld.d $s3, $s2, 0
  KERNEL kernel1
  CHECK "at PLV 3 with VA32L3 a load uses 32 bits of the address", $s3, 0x1122334455667788
  USER user2
  st.d $s2, $s2, 8
  KERNEL kernel2
  ld.d $s3, $s0, 8
  sub.d $s3, $s3, $s2
  CHECK "and so does a store", $s3, 0
  # Manual: 5.2.2
  la.pcrel $s3, 2f
  li.d $s4, 0x5555555500000000
  or $s4, $s4, $s3
  li.w $s6, 0
  USER user3
  jirl $s5, $s4, 0
2:
  li.w $s6, 1
  KERNEL kernel3
  CHECK "a jump uses 32 bits of its target", $s6, 1
  sub.d $s5, $s5, $s3
  CHECK "the link is the address behind it", $s5, 0
  # Manual: 7.4.7, 7.4.8
  li.d $s4, 0xabcd123400000001
  or $s4, $s4, $s0
  FORGET
  USER user4
  la.pcrel $t0, resume
  la.pcrel $t1, 1f
  st.d $t1, $t0, 0
  ll.d $s3, $s4, 0
1:
  NOTED $s3, trap_badv
  bstrpick.d $s4, $s4, 31, 0
  sub.d $s3, $s3, $s4
  TRAPPED "a misaligned ll", ALE
  CHECK "BADV has 32 bits", $s3, 0
  csrrd $t0, MISC
  bstrins.d $t0, $zero, 3, 3
  csrwr $t0, MISC
reduced:
  # Manual: 5.2.3, 7.4.11
  csrwr $zero, ASID
  li.w $t0, 12
  csrwr $t0, STLBPS
  li.w $t0, 9
  csrwr $t0, DMW0
  la.pcrel $t1, data
  li.w $t0, VALID_PAGE
  or $t0, $t0, $t1
  la.pcrel $t1, refill_lo0
  st.d $t0, $t1, 0
  la.pcrel $t1, refill_lo1
  st.d $t0, $t1, 0
  invtlb 0, $zero, $zero
  li.w $t0, 0x10
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  FORGET
  /* Segment 0 is a window, so the addresses are of the upper half. */
  li.d $s2, 0xffff800000000000
  ld.d $s3, $s2, 0
  NOT_TRAPPED "an address of 48 bits"
  li.w $t0, 8
  csrwr $t0, RVACFG
  ld.d $s3, $s2, 0
  TRAPPED "is none when RVACFG leaves 40", ADE, 1
  li.d $s2, 0xffffff7ffffffff8
  ld.d $s3, $s2, 0
  TRAPPED "nor is one without the sign in bit 39", ADE, 1
  li.d $s2, 0xffffff8000000000
  ld.d $s3, $s2, 0
  NOT_TRAPPED "with the sign it is one"
  csrwr $zero, RVACFG
  li.d $s2, 0xffff800000000000
  ld.d $s3, $s2, 0
  NOT_TRAPPED "with RVACFG 0 all 48 bits count again"
  li.w $t0, 8
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  END_PROGRAM
  .data
  .balign 8192
data: .space 8192
