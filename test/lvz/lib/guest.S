/* Entry to and exit from a guest, and the refill of stage 2, for the LVZ conformance programs. */
#include "lvz.h"

  .text
/* Windows instead of direct addresses: a refill of stage 2 leaves the host paged. */
  .globl host_setup
host_setup:
  SET_CSR DMW0, 0x11
  SET_CSR STLBPS, 12
  csrwr $zero, ASID
  la.pcrel $t0, stage2_refill
  csrwr $t0, TLBRENTRY
  li.w $t0, 0x10
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  csrwr $zero, GCFG
  csrwr $zero, GSTAT
  csrwr $zero, GINTC
  csrwr $zero, GCNTC
  SET_CSR GTLBC, USETGID
  invtlb 0x12, $zero, $zero
  ret

/* guest_enter(a0 = PC, a1 = GID, a2 = PRMD) returns after the exit. */
  .globl guest_enter
guest_enter:
  la.pcrel $t0, host_ra
  st.d $ra, $t0, 0
  st.d $sp, $t0, 8
  la.pcrel $t0, exit_gid
  st.d $a1, $t0, 0
  la.pcrel $t0, exit_entry
  ld.d $t0, $t0, 0
  bnez $t0, 1f
  la.pcrel $t0, guest_exit
1:
  csrwr $t0, EENTRY
  csrwr $a0, ERA
  csrwr $a2, PRMD
  slli.d $t0, $a1, 16
  la.pcrel $t1, gtlbc_bits
  ld.d $t1, $t1, 0
  or $t1, $t1, $t0
  csrwr $t1, GTLBC
  ori $t0, $t0, PGM
  csrwr $t0, GSTAT
  la.pcrel $t0, exit_estat
  addi.d $t1, $zero, -1
  st.d $t1, $t0, 0
  ertn

/* Where exits arrive: notes them, and returns from guest_enter. */
  .balign 4096
  .globl guest_exit
guest_exit:
  csrwr $t0, SAVE0
  csrwr $t1, SAVE1
  NOTE ESTAT, exit_estat
  NOTE ERA, exit_era
  NOTE BADV, exit_badv
  NOTE BADI, exit_badi
  NOTE PRMD, exit_prmd
  NOTE CRMD, exit_crmd
  NOTE GSTAT, exit_gstat
  li.w $t0, PGM
  csrxchg $zero, $t0, GSTAT
  SET_CSR GTLBC, USETGID
  la.pcrel $t0, trap_entry
  csrwr $t0, EENTRY
  la.pcrel $t0, host_ra
  ld.d $ra, $t0, 0
  ld.d $sp, $t0, 8
  ret

/* GPA + s2_offset with s2_even and s2_odd as the bits of the halves; counts and notes. */
  .balign 4096
  .globl stage2_refill
stage2_refill:
  csrwr $t0, TLBRSAVE
  csrwr $t1, SAVE2
  COUNT s2_refills
  NOTE TLBRBADV, s2_badv
  NOTE TLBRPRMD, s2_prmd
  NOTE TLBRERA, s2_era
  csrrd $t0, TLBRBADV
  bstrins.d $t0, $zero, 12, 0
  la.pcrel $t1, s2_offset
  ld.d $t1, $t1, 0
  add.d $t0, $t0, $t1
  la.pcrel $t1, s2_even
  ld.d $t1, $t1, 0
  or $t1, $t0, $t1
  csrwr $t1, 0x8c
  la.pcrel $t1, s2_odd
  ld.d $t1, $t1, 0
  or $t1, $t0, $t1
  lu12i.w $t0, 1
  or $t1, $t1, $t0
  csrwr $t1, 0x8d
  csrrd $t0, TLBREHI
  ori $t1, $zero, 12
  bstrins.d $t0, $t1, 5, 0
  csrwr $t0, TLBREHI
  tlbfill
  csrrd $t1, SAVE2
  csrrd $t0, TLBRSAVE
  ertn

  .data
  .balign 8
host_ra: .quad 0, 0
  /* EENTRY while a guest runs, where it is not guest_exit itself. */
  .globl exit_entry
exit_entry: .quad 0
  .globl exit_estat, exit_era, exit_badv, exit_badi, exit_prmd, exit_crmd, exit_gstat, exit_gid
exit_estat: .quad 0
exit_era: .quad 0
exit_badv: .quad 0
exit_badi: .quad 0
exit_prmd: .quad 0
exit_crmd: .quad 0
exit_gstat: .quad 0
exit_gid: .quad 0
  .globl s2_refills, s2_badv, s2_prmd, s2_era, s2_offset, s2_even, s2_odd, gtlbc_bits
/* GTLBC while a guest runs, beside TGID. */
gtlbc_bits: .quad USETGID
s2_refills: .quad 0
s2_badv: .quad 0
s2_prmd: .quad 0
s2_era: .quad 0
s2_offset: .quad 0
s2_even: .quad V | D | CC
s2_odd: .quad V | D | CC
