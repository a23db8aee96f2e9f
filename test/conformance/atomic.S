/* LL/SC and atomic memory operations (Vol. 1, 2.2.6 and 2.2.7). */
#include "conformance.h"
  PROGRAM "atomics"
  la.pcrel $s0, place
  ll.d $s1, $s0, 0
  li.d $s2, 5
  sc.d $s2, $s0, 0
  CHECK "sc.d behind ll.d succeeds", $s2, 1
  li.d $s2, 6
  sc.d $s2, $s0, 0
  CHECK "a second sc.d fails", $s2, 0
  ld.d $s3, $s0, 0
  CHECK "the failing sc.d stores nothing", $s3, 5
  ll.w $s1, $s0, 0
  csrrd $s2, LLBCTL
  andi $s2, $s2, 1
  CHECK "LLBCTL.ROLLB shows the LL bit", $s2, 1
  FORGET
  syscall 0
  li.d $s2, 7
  sc.w $s2, $s0, 0
  CHECK "ertn clears the LL bit", $s2, 0
  ll.w $s1, $s0, 0
  li.w $t0, 2
  csrwr $t0, LLBCTL
  li.d $s2, 7
  sc.w $s2, $s0, 0
  CHECK "LLBCTL.WCLLB clears the LL bit", $s2, 0
  ll.w $s1, $s0, 0
  li.w $t0, 4
  csrwr $t0, LLBCTL
  syscall 0
  li.d $s2, 7
  sc.w $s2, $s0, 0
  CHECK "LLBCTL.KLO keeps it over one ertn", $s2, 1
  csrrd $s2, LLBCTL
  andi $s2, $s2, 4
  CHECK "KLO is used up", $s2, 0
  li.d $s1, 0x80000000
  st.d $s1, $s0, 0
  li.d $s2, 1
  amadd.w $s3, $s2, $s0
  CHECK "amadd.w gives the old word, sign-extended", $s3, -0x80000000
  ld.d $s3, $s0, 0
  CHECK "amadd.w stores the sum", $s3, 0x80000001
  li.d $s2, -1
  ammax.d $s3, $s2, $s0
  ld.d $s3, $s0, 0
  CHECK "ammax.d is signed", $s3, 0x80000001
  ammax_db.du $s3, $s2, $s0
  ld.d $s3, $s0, 0
  CHECK "ammax_db.du is unsigned", $s3, -1
  amswap_db.d $s3, $zero, $s0
  CHECK "amswap_db.d gives the old value", $s3, -1
  amor.d $zero, $s2, $s0
  ld.d $s3, $s0, 0
  CHECK "the old value may be dropped", $s3, -1
  FORGET
  .word 0x38630000 | 23 | 24 << 5 | 23 << 10
  TRAPPED "amand.w with rd equal to rk raises INE", INE
  END_PROGRAM
  .data
  .balign 64
place: .quad 0, 0
