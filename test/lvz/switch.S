/* Guest entry and exit (docs/lvz.md, "Guest entry" and "Guest exit"). */
#include "lvz.h"
  PROGRAM "LVZ: entry and exit"
  HOST
  li.d $s0, 1
  GUEST first
  EXITED "[k] hvcl exits with HVC", HVC
  EXIT_IS "[k] ERA is the hvcl itself", exit_era, first_call
  EXIT_WORD "[k] BADI is its word", first_call
  CHECK "[k] the guest has run, on the same registers", $s0, 0x77
  NOTED $s1, s2_refills
  sltu $s1, $zero, $s1
  CHECK "[k] its first fetch was refilled through the host's ordinary handler", $s1, 1
  NOTED $s1, s2_prmd
  andi $s1, $s1, 8
  CHECK "[m] TLBRPRMD.PGM says that the miss came from a guest", $s1, 8
  NOTED $s1, exit_gstat
  andi $s1, $s1, PGM
  CHECK "[k] GSTAT.PGM is 1 on arrival", $s1, PGM
  NOTED $s1, exit_crmd
  andi $s1, $s1, 0x1f
  CHECK "[k] the host is at PLV 0, masked, in the mode it had", $s1, 0x10
  GCSR_IS "[k] nothing of the bank has changed", CRMD, 8
  /* The previous mode is the host's own. */
  li.w $t0, 4
  gcsrxchg $zero, $t0, CRMD
  GUEST first, 1, 4
  NOTED $s1, exit_prmd
  andi $s1, $s1, 7
  CHECK "[k] PRMD has the host's IE, not the guest's", $s1, 4
  /* An ordinary exception of the host records the host. */
  la.pcrel $t0, first
  li.w $t0, PGM
  csrxchg $t0, $t0, GSTAT
  FORGET
  syscall 0
  csrrd $s1, GSTAT
  andi $s1, $s1, PGM
  TRAPPED "[c] an exception of the host with a stale PGM", SYS
  CHECK "[c] returns to the host: PGM follows the mode it interrupted", $s1, 0
  /* A refill goes back to its guest whatever GSTAT.PGM is. */
  invtlb 0x12, $zero, $zero
  SET s2_refills, 0
  li.d $s0, 0
  GUEST two_pages
  EXITED "[m] a nested refill goes straight back into the guest", HVC
  CHECK "[k] which goes on where it was", $s0, 3
  NOTED $s1, s2_refills
  CHECK "[k] one refill for each pair of pages", $s1, 2
  /* Skipping the instruction is the host's part. */
  li.d $s0, 0
  GUEST calls
  CHECK "[k] before the first call", $s0, 1
  AGAIN 4
  CHECK "[k] behind it", $s0, 2
  /* A vector for each cause with R.ECFG.VS. */
  la.pcrel $t0, vectors
  la.pcrel $t1, exit_entry
  st.d $t0, $t1, 0
  SET_CSR ECFG, 0x20000
  li.d $s6, 0
  GUEST first
  CHECK "[m] with R.ECFG.VS = 2 a hypercall arrives at slot 0x17 of 16 bytes", $s6, HVC
  li.d $s6, 0
  GUEST asks
  CHECK "[m] and GSPR at slot 0x16", $s6, GSPR
  csrwr $zero, ECFG
  SET exit_entry, 0
  /* ertn inside a guest is the guest's. */
  GUEST returns
  EXITED "[k] ertn in a guest stays in the guest", HVC
  EXIT_IS "[k] and goes where G.ERA says", exit_era, returned
  GCSR_IS "[k] with the mode of G.PRMD", CRMD, 0xc
  SET_GCSR CRMD, 8
  END_PROGRAM

  .balign 8192
first:
  li.d $s0, 0x77
first_call:
  DONE
asks:
  cpucfg $t0, $zero
  DONE
calls:
  li.d $s0, 1
  hvcl 1
  li.d $s0, 2
  DONE
returns:
  la.pcrel $t0, returned
  csrwr $t0, ERA
  li.w $t0, 4
  csrwr $t0, PRMD
  ertn
  DONE
returned:
  DONE
  .balign 8192
two_pages:
  addi.d $s0, $s0, 1
  b next_page
  .balign 8192
next_page:
  addi.d $s0, $s0, 2
  DONE

  .balign 4096
vectors:
  .rept 64
  .if (. - vectors) / 16 == HVC
  ori $s6, $zero, HVC
  .elseif (. - vectors) / 16 == GSPR
  ori $s6, $zero, GSPR
  .else
  ori $s6, $zero, 0xff
  .endif
  b guest_exit
  nop
  nop
  .endr
