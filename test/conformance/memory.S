/* Loads, stores and bound checks (Vol. 1, 2.2.5 and 2.2.6). */
#include "conformance.h"
  PROGRAM "loads and stores"
  la.pcrel $s0, place
  li.d $s1, 0xf1e2d3c4b5a69788
  st.d $s1, $s0, 0
  # Manual: 2.1.6, 2.2.5.1
  ld.b $s2, $s0, 0
  CHECK "ld.b sign-extends", $s2, -0x78
  ld.bu $s2, $s0, 7
  CHECK "ld.bu", $s2, 0xf1
  ld.h $s2, $s0, 0
  CHECK "ld.h", $s2, 0xffffffffffff9788
  ld.hu $s2, $s0, 6
  CHECK "ld.hu", $s2, 0xf1e2
  ld.w $s2, $s0, 4
  CHECK "ld.w", $s2, 0xfffffffff1e2d3c4
  ld.wu $s2, $s0, 0
  CHECK "ld.wu", $s2, 0xb5a69788
  st.b $zero, $s0, 1
  ld.d $s2, $s0, 0
  CHECK "st.b writes one byte", $s2, 0xf1e2d3c4b5a60088
  st.w $s1, $s0, 4
  ld.d $s2, $s0, 0
  CHECK "st.w writes the low word", $s2, 0xb5a69788b5a60088
  li.w $s3, 8
  stx.d $s1, $s0, $s3
  ldx.d $s2, $s0, $s3
  CHECK "stx.d and ldx.d", $s2, 0xf1e2d3c4b5a69788
  ldptr.w $s2, $s0, 8
  CHECK "ldptr.w", $s2, 0xffffffffb5a69788
  stptr.d $zero, $s0, 16
  ld.d $s2, $s0, 16
  CHECK "stptr.d", $s2, 0
  # Manual: 2.1.8
  CPUCFG $s4, 1, 20, 20
  beqz $s4, 1f
  ld.d $s2, $s0, 3
  CHECK "ld.d at an odd address", $s2, 0xa69788b5a69788b5
  st.d $s1, $s0, 13
  ld.w $s2, $s0, 13
  CHECK "st.d at an odd address", $s2, 0xffffffffb5a69788
  la.pcrel $s5, crossing
  addi.d $s5, $s5, -3
  st.d $s1, $s5, 0
  ld.d $s2, $s5, 0
  CHECK "an access across a page boundary", $s2, 0xf1e2d3c4b5a69788
  NOT_TRAPPED "misaligned accesses do not trap with UAL"
1:
  FORGET
  ldgt.d $s2, $s0, $s0
  TRAPPED "ldgt.d with its base at the bound raises BCE", BCE
  ldle.d $s2, $s0, $s0
  NOT_TRAPPED "ldle.d with its base at the bound loads"
  stle.w $zero, $s0, $zero
  TRAPPED "stle.w above the bound raises BCE", BCE
  asrtgt.d $zero, $zero
  TRAPPED "asrtgt.d of equal addresses raises BCE", BCE
  asrtle.d $zero, $s0
  NOT_TRAPPED "asrtle.d below the bound"
  preld 0, $zero, 0
  NOT_TRAPPED "preld never traps"
  # Manual: 2.2.5.5
  li.d $s2, -8
  li.d $s3, -1
  preldx 0, $s2, $s3
  preldx 31, $s3, $s2
  NOT_TRAPPED "preldx never traps"
  # Manual: 2.1.7
  /* Data of all three memory access types is the same: there are no caches. */
  li.d $s3, 0x5a5a5a5a5a5a5a5a
  st.d $s3, $s0, 0
  li.w $t0, 0x80
  li.w $t1, 0x180
  csrxchg $t0, $t1, CRMD
  ld.d $s2, $s0, 0
  st.d $s0, $s0, 8
  csrxchg $zero, $t1, CRMD
  ld.d $s4, $s0, 8
  CHECK "coherent and strongly ordered accesses see the same", $s2, 0x5a5a5a5a5a5a5a5a
  sub.d $s4, $s4, $s0
  CHECK "and store the same", $s4, 0
  # Manual: 2.2.8.1, 2.2.8.2
  dbar 0
  dbar 0x7ff
  ibar 0
  NOT_TRAPPED "barriers of every kind run"
  END_PROGRAM
  .data
  .balign 8192
place: .space 4096
crossing: .space 4096
