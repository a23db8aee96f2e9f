/* Stage 2: misses, faults, permissions, page sizes (docs/lvz.md, "Address translation"). */
#include "lvz.h"
  .macro FLUSH
  invtlb 0x12, $zero, $zero
  SET s2_refills, 0
  .endm
  /* Bits of the entries that the next refills make. */
  .macro BITS even, odd
  SET s2_even, \even
  SET s2_odd, \odd
  .endm
  PROGRAM "LVZ: stage 2"
  HOST
  la.pcrel $s4, data
  /* A miss in direct address mode at the first instruction. */
  GUEST loads
  CHECK "[k] a guest in direct address mode goes through stage 2", $s0, 0x1122334455667788
  NOTED $s1, s2_refills
  CHECK "[k] one refill for the code, one for the data", $s1, 2
  NOTED $s1, s2_badv
  la.pcrel $s2, data
  addi.d $s2, $s2, 8
  sub.d $s1, $s1, $s2
  CHECK "[k] TLBRBADV is the exact GPA", $s1, 0
  NOTED $s1, s2_era
  la.pcrel $s2, load
  sub.d $s1, $s1, $s2
  CHECK "[m] TLBRERA is the guest's PC with IsTLBR", $s1, 1
  GUEST loads
  NOTED $s1, s2_refills
  CHECK "[k] entries stay: no refill the second time", $s1, 2
  /* V = 0. */
  FLUSH
  GUEST nothing
  BITS 0, 0
  GUEST loads
  EXITED "[k] a load where V is 0", PIL
  EXIT_IS "[k] BADV is the exact GPA", exit_badv, data8
  EXIT_IS "[k] ERA is the load", exit_era, load
  EXIT_WORD "[k] BADI is the load", load
  csrrd $s1, TLBEHI
  la.pcrel $s2, data
  sub.d $s1, $s1, $s2
  CHECK "[k] TLBEHI is the page pair", $s1, 0
  GUEST stores
  EXITED "[k] a store where V is 0", PIS
  EXIT_WORD "[k] BADI is the store", store
  GUEST jumps
  EXITED "[k] a fetch where V is 0", PIF
  EXIT_IS "[k] ERA is its address", exit_era, data
  EXIT_VALUE "[c] BADI of a fetch is 0", exit_badi, 0
  /* invtlb 0x16 takes entries that map nothing. */
  BITS V | D | CC, V | D | CC
  GUEST loads
  EXITED "[k] a table that has changed alone changes nothing", PIL
  la.pcrel $s2, data
  li.d $s1, 1 << 16
  invtlb 0x16, $s1, $s2
  GUEST loads
  EXITED "[k] invtlb 0x16 takes the entry with V = 0", HVC
  /* D = 0. */
  FLUSH
  GUEST nothing
  BITS V | CC, V | CC
  GUEST loads
  EXITED "[k] a load from a clean page", HVC
  GUEST stores
  EXITED "[k] a store to it exits with PME", PME
  EXIT_IS "[k] BADV is the exact GPA", exit_badv, data8
  EXIT_WORD "[k] BADI is the store", store
  la.pcrel $s2, data
  ld.d $s1, $s2, 8
  CHECK "[k] nothing is stored", $s1, 0x1122334455667788
  BITS V | D | CC, V | D | CC
  li.d $s1, 1 << 16
  invtlb 0x16, $s1, $s2
  li.d $s0, 0x5555
  AGAIN
  EXITED "[k] after invtlb 0x16 the store goes on", HVC
  la.pcrel $s2, data
  ld.d $s1, $s2, 8
  CHECK "[k] and is done once", $s1, 0x5555
  /* NR and NX. */
  FLUSH
  GUEST nothing
  BITS V | D | CC | NR, V | D | CC | NR
  GUEST loads
  EXITED "[i] a load from a page with NR", PNR
  li.d $s0, 0x1122334455667788
  GUEST stores
  EXITED "[i] which stores may write", HVC
  FLUSH
  BITS V | D | CC, V | D | CC
  GUEST nothing
  BITS V | D | CC | NX, V | D | CC | NX
  GUEST jumps
  EXITED "[i] a fetch from a page with NX", PNX
  BITS V | D | CC, V | D | CC
  /* Another place. */
  FLUSH
  la.pcrel $s4, elsewhere
  la.pcrel $s5, data
  sub.d $s5, $s4, $s5
  GUEST nothing
  la.pcrel $t0, s2_offset
  st.d $s5, $t0, 0
  la.pcrel $s4, data
  GUEST loads
  SET s2_offset, 0
  CHECK "[k] stage 2 says where a GPA is", $s0, 0x99aa
  /* Misaligned over two pairs of pages, the second unmapped. */
  FLUSH
  GUEST nothing
  la.pcrel $s4, data
  GUEST loads
  BITS 0, 0
  la.pcrel $s4, data
  li.d $t0, 8192 - 12
  add.d $s4, $s4, $t0
  GUEST loads
  EXITED "[i] an access into an unmapped page", PIL
  NOTED $s1, exit_badv
  la.pcrel $s2, data
  sub.d $s1, $s1, $s2
  CHECK "[i] BADV is the first byte of the part that faults", $s1, 8192
  BITS V | D | CC, V | D | CC
  END_PROGRAM

  .balign 8192
nothing:
  DONE
loads:
load:
  ld.d $s0, $s4, 8
  DONE
stores:
store:
  st.d $s0, $s4, 8
  DONE
jumps:
  jirl $zero, $s4, 0
  .data
  .balign 8192
data:
  .quad 0
data8:
  .quad 0x1122334455667788
  .space 8192 - 16
after: .space 8192
elsewhere:
  .quad 0, 0x99aa
  .space 8192 - 16
