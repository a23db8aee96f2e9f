/* Bound-checked accesses, and which cause of an access comes first (Vol. 1, 2.2.6, 2.2.10.3, 3.2.7.1, 6.3.2, 7.4.4 and 7.4.9). */
#include "conformance.h"
/* Outside every window: the TLB translates it. */
#define VA 0xffffffffc0000000
/* Not the sign extension of 48 bits, and in no window. */
#define NOWHERE 0xf000800000000000

  /* The instruction, whose address is in s1 and whose bound in s2, raises an exception with that address in BADV. */
  .macro RAISES text, address, ecode, esub, instruction:vararg
  FORGET
  li.d $s1, \address
  \instruction
  NOTED $s3, trap_badv
  TRAPPED "\text", \ecode, \esub
  CHECK "\text: BADV is the address", $s3, \address
  .endm

  PROGRAM "bounds and the order of causes"
  /* Window 0: segment 0 at its own addresses. */
  li.w $t0, 9
  csrwr $t0, DMW0
  csrwr $zero, DMW1
  li.w $t0, 12
  csrwr $t0, STLBPS
  csrwr $zero, ASID
  invtlb 0, $zero, $zero
  la.pcrel $t0, refill_lo0
  st.d $zero, $t0, 0
  la.pcrel $t0, refill_lo1
  st.d $zero, $t0, 0
  li.w $t0, 0x10
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  /* No address is at most 0, and none is above the greatest one. */
  move $s2, $zero
  li.d $s4, -1
  # Manual: 2.2.6.1, 2.1.8
  RAISES "ldle.h at an odd address", VA + 1, ALE, 0, ldle.h $s5, $s1, $s2
  RAISES "ldle.w at a misaligned address", VA + 2, ALE, 0, ldle.w $s5, $s1, $s2
  RAISES "ldgt.d at a misaligned address, inside its bound", VA + 4, ALE, 0, ldgt.d $s5, $s1, $s2
  RAISES "stle.w at a misaligned address", VA + 2, ALE, 0, stle.w $s5, $s1, $s2
  RAISES "stgt.d at a misaligned address, inside its bound", VA + 4, ALE, 0, stgt.d $s5, $s1, $s2
  # Manual: 3.2.7.1
  RAISES "fldle.s at a misaligned address", VA + 2, ALE, 0, fldle.s $f0, $s1, $s2
  RAISES "fstgt.d at a misaligned address", VA + 4, ALE, 0, fstgt.d $f0, $s1, $s4
  # Manual: 6.3.2
  RAISES "alignment before the address", NOWHERE + 1, ALE, 0, ldle.w $s5, $s1, $s2
  RAISES "the address before the bound, ldle.w", NOWHERE, ADE, 1, ldle.w $s5, $s1, $s2
  RAISES "the address before the bound, stgt.b", NOWHERE + 1, ADE, 1, stgt.b $s5, $s1, $s4
  RAISES "the address before the bound, fldgt.d", NOWHERE, ADE, 1, fldgt.d $f0, $s1, $s4
  RAISES "the bound before the TLB, ldle.d", VA, BCE, 0, ldle.d $s5, $s1, $s2
  RAISES "the bound before the TLB, stgt.b", VA + 1, BCE, 0, stgt.b $s5, $s1, $s4
  RAISES "the bound before the TLB, fldle.d", VA, BCE, 0, fldle.d $f0, $s1, $s2
  RAISES "the TLB at last, ldgt.d", VA, PIL, 0, ldgt.d $s5, $s1, $s2
  RAISES "the TLB at last, fstgt.s", VA, PIS, 0, fstgt.s $f0, $s1, $s2
  # Manual: 2.2.10.3
  FORGET
  li.d $s1, -1
  asrtle.d $s1, $zero
  NOT_TRAPPED "asrtle.d compares signed: -1 is at most 0"
  asrtgt.d $s1, $zero
  TRAPPED "asrtgt.d compares signed: -1 is not above 0", BCE
  asrtle.d $zero, $s1
  TRAPPED "asrtle.d: 0 is above -1", BCE
  asrtgt.d $zero, $s1
  NOT_TRAPPED "asrtgt.d: 0 is above -1"
  asrtle.d $s1, $s1
  NOT_TRAPPED "asrtle.d of equal numbers"
  asrtgt.d $s1, $s1
  TRAPPED "asrtgt.d of equal numbers", BCE
  # Manual: 7.4.4, 2.1.8
  CPUCFG $s6, 1, 20, 20
  beqz $s6, 1f
  la.pcrel $s0, place
  li.w $t0, 0x1000
  csrwr $t0, MISC
  FORGET
  ld.w $s5, $s0, 1
  TRAPPED "MISC.ALCL0: ld.w", ALE
  fld.d $f0, $s0, 4
  TRAPPED "MISC.ALCL0: fld.d", ALE
  stptr.d $s5, $s0, 4
  TRAPPED "MISC.ALCL0: stptr.d", ALE
  ld.w $s5, $s0, 4
  NOT_TRAPPED "MISC.ALCL0: an aligned ld.w"
  vld $vr0, $s0, 1
  NOT_TRAPPED "MISC.ALCL0 is not for vectors: vld"
  vst $vr0, $s0, 1
  NOT_TRAPPED "MISC.ALCL0 is not for vectors: vst"
  addi.d $s1, $s0, 1
  vldrepl.d $vr0, $s1, 0
  NOT_TRAPPED "MISC.ALCL0 is not for vectors: vldrepl.d"
  xvld $xr0, $s0, 1
  NOT_TRAPPED "MISC.ALCL0 is not for vectors: xvld"
  csrwr $zero, MISC
  FORGET
  ld.w $s5, $s0, 1
  NOT_TRAPPED "without MISC.ALCL0 ld.w may be misaligned"
1:
  # Manual: 7.4.9
  /* A refill notes the instruction too. */
  la.pcrel $s6, refilling
  csrrd $s7, TLBRENTRY
  csrwr $s6, TLBRENTRY
  li.d $s1, VA + 0x10000
  FORGET
  ldx.bu $s5, $s1, $zero
  CHECK "BADI is written by a refill", $s3, 0x3820031c
  csrwr $s7, TLBRENTRY
  TRAPPED "whose page is invalid", PIL
  END_PROGRAM

  .balign 4096
refilling:
  csrrd $s3, BADI
  csrwr $t0, TLBRSAVE
  csrwr $zero, 0x8c
  csrwr $zero, 0x8d
  csrrd $t0, TLBREHI
  bstrins.d $t0, $zero, 5, 0
  ori $t0, $t0, 12
  csrwr $t0, TLBREHI
  tlbfill
  csrrd $t0, TLBRSAVE
  ertn

  .data
  .balign 64
place: .space 128
