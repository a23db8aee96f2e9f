/* A guest's own translation over stage 2 (docs/lvz.md, "Address translation"). */
#include "lvz.h"
#define VA 0xffffffffc0000000
  .macro BITS bits
  SET g_bits, \bits
  .endm
  PROGRAM "LVZ: stage 1 over stage 2"
  HOST
  la.pcrel $t0, guest_vector
  gcsrwr $t0, EENTRY
  la.pcrel $t0, guest_refill
  gcsrwr $t0, TLBRENTRY
  /* The guest runs in a window of segment 0 of its own, its pages are high. */
  SET_GCSR DMW0, 9
  SET_GCSR STLBPS, 12
  SET_GCSR ASID, 0
  SET_GCSR CRMD, 0x10
  BITS V | D | CC
  li.d $s4, VA
  GUEST loads
  EXITED "[k] a load through both stages", HVC
  CHECK "[k] reaches its page", $s0, 0x4455
  NOTED $s1, g_refills
  CHECK "[k] the guest refills stage 1 itself", $s1, 1
  NOTED $s1, g_badv
  CHECK "[k] for its own address", $s1, VA + 8
  GCSR_IS "[k] and is back in paged mode", CRMD, 0x10
  GUEST loads
  NOTED $s1, g_refills
  CHECK "[k] its entries stay over exits", $s1, 1
  /* Faults of stage 1 stay inside. */
  BITS 0
  GUEST flush_loads
  EXITED "[k] a page that the guest's entry calls invalid", HVC
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 21, 16
  CHECK "[k] raises PIL inside", $s1, PIL
  GCSR_IS "[k] with the guest's address in G.BADV", BADV, VA + 8
  NOTED $s1, exit_estat
  bstrpick.d $s1, $s1, 21, 16
  CHECK "[k] and no exit but the last one", $s1, HVC
  BITS V | CC
  GUEST flush_stores
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 21, 16
  CHECK "[k] a store to a page that stage 1 calls clean: PME inside", $s1, PME
  BITS V | D | CC | NX
  GUEST flush_jumps
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 21, 16
  CHECK "[k] a fetch from a page that stage 1 calls not executable: PNX inside", $s1, PNX
  /* Permissions of both: stage 1 allows, stage 2 does not. */
  SET_GCSR CRMD, 0x10
  BITS V | D | CC
  invtlb 0x12, $zero, $zero
  GUEST nothing
  GUEST loads
  invtlb 0x12, $zero, $zero
  GUEST nothing
  SET s2_even, V | CC
  SET s2_odd, V | CC
  GUEST stores
  EXITED "[k] stage 1 allows the store, stage 2 does not: PME exit", PME
  EXIT_IS "[k] BADV is the GPA, not the guest's address", exit_badv, page8
  SET s2_even, V | D | CC
  SET s2_odd, V | D | CC
  /* A miss of both stages: stage 1 first. */
  invtlb 0x12, $zero, $zero
  SET_GCSR CRMD, 0x10
  SET g_refills, 0
  GUEST loads
  EXITED "[k] a miss of both stages ends in the page", HVC
  NOTED $s1, g_refills
  CHECK "[k] after one refill of the guest", $s1, 1
  /* The guest's refill handler is left and entered again in its middle. */
  SET_GCSR CRMD, 0x10
  SET g_call, 1
  GUEST flush_loads
  SET g_call, 0
  EXITED "[k] an exit in the middle of the guest's refill handler", HVC
  gcsrrd $s1, TLBRERA
  andi $s1, $s1, 1
  CHECK "[k] G.TLBRERA says that it is one", $s1, 1
  gcsrrd $s1, CRMD
  andi $s1, $s1, 0x18
  CHECK "[k] in direct address mode", $s1, 8
  gcsrrd $t0, TLBRERA
  gcsrwr $t0, TLBRERA
  li.d $s0, 0
  AGAIN 4
  EXITED "[h] entered again, with TLBRERA written back", HVC
  CHECK "[h] it fills and the load goes on", $s0, 0x4455
  /* The guest's ASID and G. */
  SET_GCSR CRMD, 0x10
  SET g_refills, 0
  SET_GCSR ASID, 3
  GUEST loads
  SET_GCSR ASID, 0
  NOTED $s1, g_refills
  CHECK "[k] another address space of the guest misses", $s1, 1
  GUEST loads
  NOTED $s1, g_refills
  CHECK "[k] the first one still hits", $s1, 1
  /* lddir and ldpte read through stage 2. */
  la.pcrel $s4, table
  SET_GCSR PWCL, 12 | 9 << 5 | 21 << 10 | 9 << 15
  SET_GCSR TLBRBADV, 0x200000
  GUEST walks
  CHECK "[k] lddir of a guest reads guest-physical memory", $s0, 0x123000
  invtlb 0x12, $zero, $zero
  GUEST nothing
  SET s2_even, 0
  SET s2_odd, 0
  GUEST walks
  EXITED "[i] a table that stage 2 does not map exits", PIL
  EXIT_IS "[i] with the address of the slot", exit_badv, slot
  EXIT_WORD "[i] and the lddir in BADI", walks
  SET s2_even, V | D | CC
  SET s2_odd, V | D | CC
  END_PROGRAM

  .balign 8192
nothing:
  DONE
flush_loads:
  invtlb 0, $zero, $zero
loads:
  ld.d $s0, $s4, 8
  DONE
flush_stores:
  invtlb 0, $zero, $zero
stores:
  st.d $s0, $s4, 8
  DONE
flush_jumps:
  invtlb 0, $zero, $zero
  jirl $zero, $s4, 0
walks:
  lddir $s0, $s4, 1
  DONE
  /* In the page beside the code, in one pair with it: where stage 2 maps the code it maps the handler. */
  .balign 4096
guest_refill:
  csrwr $t0, TLBRSAVE
  csrwr $t1, SAVE2
  COUNT g_refills
  NOTE TLBRBADV, g_badv
  la.pcrel $t0, page
  la.pcrel $t1, g_bits
  ld.d $t1, $t1, 0
  or $t0, $t0, $t1
  csrwr $t0, 0x8c
  la.pcrel $t0, page
  or $t0, $t0, $t1
  csrwr $t0, 0x8d
  csrrd $t0, TLBREHI
  ori $t1, $zero, 12
  bstrins.d $t0, $t1, 5, 0
  csrwr $t0, TLBREHI
  la.pcrel $t0, g_call
  ld.d $t0, $t0, 0
  beqz $t0, 1f
  hvcl 5
1:
  tlbfill
  csrrd $t1, SAVE2
  csrrd $t0, TLBRSAVE
  ertn
  .balign 8
g_refills: .quad 0
g_badv: .quad 0
g_bits: .quad 0
g_call: .quad 0
  .balign 4096
guest_vector:
  DONE
  .data
  .balign 8192
page:
  .quad 0
page8:
  .quad 0x4455
  .space 8192 - 16
  .balign 8192
table:
  .quad 0
slot:
  .quad 0x123000
  .space 8192 - 16
