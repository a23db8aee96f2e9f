/* Watchpoints: FWP and MWP (Vol. 1, 7.9). */
#include "conformance.h"
  .macro WATCHING
  li.w $t0, 0x200
  csrxchg $t0, $t0, CRMD
  .endm
  .macro NOT_WATCHING
  li.w $t1, 0x200
  csrxchg $zero, $t1, CRMD
  .endm
  PROGRAM "watchpoints"
  csrrd $s0, FWPC
  csrrd $s1, MWPC
  and $s0, $s0, $s1
  NEEDS $s0, "no watchpoints (FWPC, MWPC)"
  FORGET
  # Manual: 7.9.4, 7.9.6, 7.4.1, 7.4.2
  la.pcrel $s2, 1f
  csrwr $s2, FWP0
  la.pcrel $s2, 1f
  csrwr $zero, FWP0 + 1
  li.w $t0, 2
  csrwr $t0, FWP0 + 2
  li.w $s3, 0
  WATCHING
1:
  li.w $s3, 1
  NOT_WATCHING
  NOTED $s4, trap_era
  sub.d $s4, $s4, $s2
  TRAPPED "a fetch from a watched address raises WPEF", WPE, 0
  CHECK "before the instruction", $s3, 0
  CHECK "ERA is its address", $s4, 0
  NOTED $s4, trap_prmd
  bstrpick.d $s4, $s4, 3, 3
  CHECK "PRMD.PWE remembers CRMD.WE", $s4, 1
  NOTED $s4, trap_crmd
  bstrpick.d $s4, $s4, 9, 9
  CHECK "which the exception clears", $s4, 0
  # Manual: 7.9.5
  csrrd $s4, FWPS
  andi $s4, $s4, 0xff
  CHECK "FWPS tells which one", $s4, 1
  li.w $t0, 1
  csrwr $t0, FWPS
  csrrd $s4, FWPS
  andi $s4, $s4, 0xff
  CHECK "writing 1 clears it", $s4, 0
  la.pcrel $t0, 2f
  csrwr $t0, FWP0
  li.d $t0, 0x10000
  csrwr $t0, FWPS
  WATCHING
2:
  li.w $s3, 2
  NOT_WATCHING
  NOT_TRAPPED "FWPS.Skip lets one pass"
  CHECK "the instruction is executed", $s3, 2
  csrrd $s4, FWPS
  bstrpick.d $s4, $s4, 16, 16
  CHECK "Skip is used up", $s4, 0
  la.pcrel $t0, 3f
  csrwr $t0, FWP0
3:
  nop
  NOT_TRAPPED "nothing happens while CRMD.WE is off"
  csrwr $zero, FWP0 + 2
  # Manual: 7.9.1, 7.9.3
  /* Stores to 8 bytes. */
  la.pcrel $s2, place
  move $t0, $s2
  csrwr $t0, MWP0
  csrwr $zero, MWP0 + 1
  li.w $t0, 0x202
  csrwr $t0, MWP0 + 2
  li.w $s3, 0x77
  WATCHING
  ld.d $s4, $s2, 0
  NOT_WATCHING
  NOT_TRAPPED "a load passes a watchpoint for stores"
  WATCHING
  st.b $s3, $s2, 5
  NOT_WATCHING
  TRAPPED "a store into the watched doubleword raises WPEM", WPE, 1
  ld.d $s4, $s2, 0
  CHECK "before it is done", $s4, 0
  WATCHING
  st.d $s3, $s2, 8
  NOT_WATCHING
  NOT_TRAPPED "the next doubleword is not watched"
  WATCHING
  st.w $s3, $s2, 6
  NOT_WATCHING
  TRAPPED "an access that reaches in counts", WPE, 1
  li.w $t0, 0x102
  csrwr $t0, MWP0 + 2
  WATCHING
  ld.b $s4, $s2, 0
  NOT_WATCHING
  TRAPPED "a watchpoint for loads", WPE, 1
  # Manual: 7.9.2
  csrrd $s4, MWPS
  andi $s4, $s4, 0xff
  CHECK "MWPS tells which one", $s4, 1
  # Manual: 7.9.3
  /* Four of eight bytes, and the mask for another doubleword. */
  li.w $t0, 1
  csrwr $t0, MWPS
  addi.d $t0, $s2, 4
  csrwr $t0, MWP0
  li.w $t0, 0x602
  csrwr $t0, MWP0 + 2
  WATCHING
  st.w $s3, $s2, 0
  NOT_WATCHING
  NOT_TRAPPED "Size 1 watches four bytes: not those below"
  WATCHING
  st.b $s3, $s2, 7
  NOT_WATCHING
  TRAPPED "but each of its own", WPE, 1
  li.w $t0, 8
  csrwr $t0, MWP0 + 1
  WATCHING
  st.b $s3, $s2, 13
  NOT_WATCHING
  TRAPPED "the mask leaves out an address bit", WPE, 1
  WATCHING
  st.b $s3, $s2, 10
  NOT_WATCHING
  NOT_TRAPPED "and no byte"
  csrwr $zero, MWP0 + 1
  # Manual: 7.4.8
  li.w $t0, 0x77
  csrwr $t0, BADV
  WATCHING
  st.w $s3, $s2, 4
  NOT_WATCHING
  csrrd $s4, BADV
  TRAPPED "a watched store", WPE, 1
  CHECK "leaves BADV alone", $s4, 0x77
  li.w $t0, 0x102
  csrwr $t0, MWP0 + 2
  move $s4, $s2
  WATCHING
  amswap.w $s5, $s3, $s4
  NOT_WATCHING
  TRAPPED "an atomic operation reads too", WPE, 1
  csrwr $zero, MWP0 + 2
  END_PROGRAM
  .data
  .balign 64
place: .quad 0, 0
