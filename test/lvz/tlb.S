/* TLB instructions of root on guests' entries: GIDs, invtlb (docs/lvz.md, "Address translation"). */
#include "lvz.h"
  /* How many refills a run of guest `gid` takes. */
  .macro REFILLS text, gid, count
  SET s2_refills, 0
  GUEST touch, \gid
  NOTED $s1, s2_refills
  CHECK "\text", $s1, \count
  .endm
  .macro FILLED
  GUEST touch, 1
  GUEST touch, 2
  .endm
  PROGRAM "LVZ: TLB instructions"
  HOST
  la.pcrel $s4, data
  FILLED
  REFILLS "[k] the entries of guest 1 stay", 1, 0
  REFILLS "[k] and those of guest 2", 2, 0
  li.d $s5, 1 << 16
  li.d $s6, 2 << 16
  invtlb 0x14, $s5, $zero
  REFILLS "[k] invtlb 0x14 takes GPA to HPA of its GID", 1, 2
  REFILLS "[k] and of no other", 2, 0
  invtlb 0x16, $s6, $s4
  REFILLS "[k] invtlb 0x16 takes the address", 2, 1
  REFILLS "[k] of its GID alone", 1, 0
  invtlb 0x11, $zero, $zero
  REFILLS "[k] invtlb 0x11 takes those of all guests", 1, 2
  REFILLS "[k] of all", 2, 2
  invtlb 0x12, $zero, $zero
  REFILLS "[k] invtlb 0x12 takes everything of all guests", 1, 2
  FILLED
  invtlb 0x15, $s5, $zero
  REFILLS "[k] invtlb 0x15 takes both kinds of its GID", 1, 2
  REFILLS "[k] and nothing else", 2, 0
  FILLED
  invtlb 0x10, $zero, $zero
  invtlb 0x13, $s5, $zero
  invtlb 9, $s5, $zero
  REFILLS "[k] invtlb 0x10, 0x13 and 9 leave GPA to HPA alone", 1, 0
  invtlb 0, $zero, $zero
  REFILLS "[h] invtlb 0 takes the guests' entries too", 1, 2
  FORGET
  .word 0x06498000 | 7
  TRAPPED "[i] invtlb 7 raises INE", INE
  .word 0x06498000 | 0x17
  TRAPPED "[i] invtlb 0x17 raises INE", INE
  /* The host's own entries and those of guests do not meet. */
  FILLED
  SET_CSR TLBEHI, 0xffffffffd0000000
  SET_CSR TLBIDX, 12 << 24
  la.pcrel $t0, data
  ori $t0, $t0, V | D | CC
  csrwr $t0, TLBELO0
  la.pcrel $t0, data
  ori $t0, $t0, V | D | CC
  csrwr $t0, TLBELO1
  tlbfill
  li.d $s3, 0xffffffffd0000000
  SET refill_count, 0
  la.pcrel $t0, refill_entry
  csrwr $t0, TLBRENTRY
  ld.d $s1, $s3, 0
  CHECK "[k] an entry that the host fills with TGID 0 is its own", $s1, 0x1122
  invtlb 0x12, $zero, $zero
  ld.d $s1, $s3, 0
  NOTED $s1, refill_count
  CHECK "[k] which invtlb 0x12 leaves", $s1, 0
  la.pcrel $t0, stage2_refill
  csrwr $t0, TLBRENTRY
  /* tlbsrch and tlbrd with TGID. */
  GUEST touch, 1
  SET_CSR GTLBC, USETGID | 1 << 16
  csrwr $zero, TLBIDX
  move $t0, $s4
  csrwr $t0, TLBEHI
  tlbsrch
  csrrd $s1, TLBIDX
  srli.d $s1, $s1, 31
  andi $s1, $s1, 1
  CHECK "[k] tlbsrch with TGID finds the guest's entry", $s1, 0
  tlbrd
  csrrd $s1, TLBELO0
  andi $s1, $s1, 0x1f
  CHECK "[k] tlbrd reads it", $s1, V | D | CC
  csrrd $s1, TRGP
  CHECK "[i] and TRGP says whose it is", $s1, 1 | 1 << 16
  SET_CSR GTLBC, USETGID | 2 << 16
  move $t0, $s4
  csrwr $t0, TLBEHI
  tlbsrch
  csrrd $s1, TLBIDX
  srli.d $s1, $s1, 31
  andi $s1, $s1, 1
  CHECK "[k] tlbsrch with another TGID does not", $s1, 1
  SET_CSR GTLBC, USETGID
  /* Reuse of GIDs: what invtlb 0x12 is for. */
  li.d $s5, 1
1:
  la.pcrel $a0, touch
  move $a1, $s5
  move $a2, $zero
  bl guest_enter
  addi.d $s5, $s5, 1
  li.w $t0, 256
  bne $s5, $t0, 1b
  SET s2_refills, 0
  GUEST touch, 255
  NOTED $s1, s2_refills
  CHECK "[k] 255 guests fit beside each other", $s1, 0
  invtlb 0x12, $zero, $zero
  GUEST idle_code, 1
  la.pcrel $t2, data
  la.pcrel $t3, other
  sub.d $t3, $t3, $t2
  la.pcrel $t1, s2_offset
  st.d $t3, $t1, 0
  GUEST touch, 1
  SET s2_offset, 0
  CHECK "[k] after invtlb 0x12 a GID begins anew", $s0, 0x3344
  END_PROGRAM

  .balign 8192
idle_code:
  DONE
touch:
  ld.d $s0, $s4, 0
  DONE
  .data
  .balign 8192
data:
  .quad 0x1122
  .space 8192 - 8
other:
  .quad 0x3344
  .space 8192 - 8
