/* LL/SC and atomic memory operations (Vol. 1, 2.2.6 and 2.2.7). */
#include "conformance.h"
  PROGRAM "atomics"
  la.pcrel $s0, place
  # Manual: 2.2.7.4
  ll.d $s1, $s0, 0
  li.d $s2, 5
  sc.d $s2, $s0, 0
  CHECK "sc.d behind ll.d succeeds", $s2, 1
  li.d $s2, 6
  sc.d $s2, $s0, 0
  CHECK "a second sc.d fails", $s2, 0
  ld.d $s3, $s0, 0
  CHECK "the failing sc.d stores nothing", $s3, 5
  ll.d $s1, $s0, 0
  li.d $s2, 8
  st.d $s2, $s0, 0
  li.d $s2, 9
  sc.d $s2, $s0, 0
  CHECK "a store of the CPU itself does not break the link", $s2, 1
  ll.d $s1, $s0, 0
  amadd.d $s1, $s0, $s0
  li.d $s2, 5
  sc.d $s2, $s0, 0
  CHECK "nor does an atomic operation of its own", $s2, 1
  ll.d $s1, $s0, 0
  li.d $s2, 5
  sc.d $s2, $s0, 8
  CHECK "an sc.d at another place fails", $s2, 0
  FORGET
  ll.w $s1, $s0, 0
  addi.d $s3, $s0, 2
  sc.w $s2, $s3, 0
  TRAPPED "a misaligned sc.w raises ALE", ALE
  # Manual: 7.4.17
  ll.w $s1, $s0, 0
  csrrd $s2, LLBCTL
  andi $s2, $s2, 1
  CHECK "LLBCTL.ROLLB shows the LL bit", $s2, 1
  li.w $t0, 1
  csrwr $t0, LLBCTL
  csrwr $zero, LLBCTL
  csrrd $s2, LLBCTL
  CHECK "writing 0 or ROLLB changes nothing", $s2, 1
  FORGET
  # Manual: 4.2.6.1
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
  /* A refill returns with ertn, too. Segment 0 stays at its own addresses. */
  li.w $t0, 9
  csrwr $t0, DMW0
  li.w $t0, 12
  csrwr $t0, STLBPS
  invtlb 0, $zero, $zero
  la.pcrel $t1, page
  ori $t1, $t1, 0x13
  la.pcrel $t0, refill_lo0
  st.d $t1, $t0, 0
  la.pcrel $t0, refill_lo1
  st.d $t1, $t0, 0
  li.w $t0, 0x10
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  li.d $s3, 0xffffffffc0000000
  ll.w $s1, $s0, 0
  ld.d $s2, $s3, 0
  li.d $s2, 7
  sc.w $s2, $s0, 0
  CHECK "the ertn of a refill clears the LL bit", $s2, 0
  invtlb 0, $zero, $zero
  ll.w $s1, $s0, 0
  li.w $t0, 4
  csrwr $t0, LLBCTL
  ld.d $s2, $s3, 0
  csrrd $s2, LLBCTL
  CHECK "KLO keeps it over the ertn of a refill, and is used up", $s2, 1
  NOTED $s2, refill_count
  CHECK "after two refills", $s2, 2
  li.w $t0, 8
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  # Manual: 2.2.7.1
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
  .word 0x38610000 | 23 | 23 << 5 | 24 << 10
  TRAPPED "amadd.w with rd equal to rj raises INE", INE
  CPUCFG $s4, 2, 27, 27
  beqz $s4, 1f
  # Manual: 2.2.7.2
  li.d $s1, 0x11223344556677f0
  st.d $s1, $s0, 0
  li.d $s2, 0x101
  .word 0x385d0000 | 26 | 23 << 5 | 25 << 10
  CHECK "amadd.b gives the old byte, sign-extended", $s3, -0x10
  ld.d $s3, $s0, 0
  CHECK "amadd.b changes one byte", $s3, 0x11223344556677f1
  .word 0x385c8000 | 26 | 23 << 5 | 25 << 10
  CHECK "amswap.h gives the old halfword", $s3, 0x77f1
  ld.d $s3, $s0, 0
  CHECK "amswap.h changes one halfword", $s3, 0x1122334455660101
1:
  CPUCFG $s4, 2, 28, 28
  beqz $s4, 1f
  # Manual: 2.2.7.3
  li.d $s1, 0x80000001
  st.d $s1, $s0, 0
  li.d $s2, 7
  li.d $s3, 0x80000001
  .word 0x38590000 | 26 | 23 << 5 | 25 << 10
  CHECK "amcas.w compares 32 bits, and gives the old word, sign-extended", $s3, -0x7fffffff
  ld.d $s3, $s0, 0
  CHECK "amcas.w stores on equality", $s3, 7
  li.d $s3, 8
  .word 0x38598000 | 26 | 23 << 5 | 25 << 10
  CHECK "amcas.d gives the old value", $s3, 7
1:
  CPUCFG $s4, 2, 29, 29
  beqz $s4, 1f
  # Manual: 2.2.7.6
  .word 0x38578800 | 26 | 23 << 5
  li.d $s3, 3
  .word 0x38578c00 | 26 | 23 << 5
  CHECK "screl.d behind llacq.d succeeds", $s3, 1
  li.d $s3, 4
  .word 0x38578400 | 26 | 23 << 5
  CHECK "a second one, screl.w, fails", $s3, 0
1:
  CPUCFG $s4, 2, 30, 30
  beqz $s4, 1f
  # Manual: 2.2.7.5
  ll.d $s1, $s0, 0
  li.d $s3, 1
  li.d $s2, 2
  .word 0x38570000 | 26 | 23 << 5 | 25 << 10
  CHECK "sc.q behind ll.d succeeds", $s3, 1
  ld.d $s3, $s0, 0
  CHECK "sc.q stores rd below", $s3, 1
  ld.d $s3, $s0, 8
  CHECK "and rk above", $s3, 2
1:
  END_PROGRAM
  .data
  .balign 64
place: .quad 0, 0
  .balign 4096
page: .space 4096
