/* The world switch and the vectors, in the direct mapping window. */
#include "common.h"

  .section .window, "ax"
/* One vector of 8 instructions for each cause, 64 exceptions and 13 interrupts. */
  .balign 4096
#ifdef BREAK_eentry_unaligned
  .fill 16, 4, 0x002a0000
#endif
  .globl vectors
vectors:
  .set cause, 0
  .rept 80
  csrwr $t0, SAVE1
  ori $t0, $zero, cause
  csrwr $t0, SAVE2
  b trap
  .fill 4, 4, 0x002a0000          /* break 0: nobody comes here */
  .set cause, cause + 1
  .endr

trap:
#ifdef BREAK_exit_ie
  li.w $t0, 4
  csrxchg $t0, $t0, CRMD
  nop
#endif
  csrrd $t0, GSTAT
  andi $t0, $t0, PGM
  beqz $t0, host_trap
  /* The guest has left. SAVE1 is its t0. */
#ifdef BREAK_pointer_in_tlbrsave
  csrrd $t0, TLBRSAVE
#else
  csrrd $t0, SAVE5
#endif
  st.d $a0, $t0, 8 * 4
#ifdef BREAK_exit_t1
  li.w $t1, 7
#endif
  GUEST_REGS st.d, $t0
#ifdef BREAK_saved_width
  st.d $zero, $t0, 8 * 27
  st.w $s4, $t0, 8 * 27
#endif
  move $a0, $t0
  csrrd $t0, SAVE1
  st.d $t0, $a0, 8 * 12
  csrrd $t0, ERA
#ifdef BREAK_era_not_saved
  nop
#elif defined BREAK_pc_slot
  st.d $t0, $a0, C_PC + 8
#else
  st.d $t0, $a0, C_PC
#endif
  /* A miss of the host changes BADI: what the exit says is kept before anything can miss. */
#ifdef BREAK_badv_of_refill
  csrrd $t0, TLBRBADV
#elif defined BREAK_badv_is_badi
  csrrd $t0, BADI
#else
  csrrd $t0, BADV
#endif
  st.d $t0, $a0, C_BADV
#ifdef BREAK_badi_late
  la.abs $t0, far_away
  invtlb 2, $zero, $zero
  ld.d $t0, $t0, 0
#endif
#ifdef BREAK_badi_is_badv
  csrrd $t0, BADV
#else
  csrrd $t0, BADI
#endif
  st.d $t0, $a0, C_BADI
#ifndef BREAK_pgm_not_cleared
  li.w $t1, PGM
  csrxchg $zero, $t1, GSTAT
#endif
#ifndef BREAK_tgid_not_cleared
  li.w $t1, 0xff << GID_SHIFT
  csrxchg $zero, $t1, GTLBC
#endif
#ifdef BREAK_exit_da
  li.w $t0, 8
  csrwr $t0, CRMD
#endif
  la.abs $t0, absent_dir3
  csrwr $t0, PGDL
  .set LOADS, 1
  HOST_REGS ld.d
  ret

/* Nothing of the host raises exceptions: print what it is, and stop. */
host_trap:
  csrrd $a0, ESTAT
  la.abs $t0, host_died
  jr $t0

/* enter(a0 = context): runs the guest until its next exit. */
  .globl enter
enter:
  .set LOADS, 0
  HOST_REGS st.d
  move $t0, $a0
#ifdef BREAK_pointer_in_tlbrsave
  csrwr $t0, TLBRSAVE
#else
  csrwr $t0, SAVE5
#endif
  ld.d $t0, $a0, C_PC
#ifdef BREAK_era_host
  la.abs $t0, enter
#endif
#if !defined BREAK_era_unset && !defined BREAK_pgm_era_unset
  csrwr $t0, ERA
#endif
  la.abs $t0, stage2_dir3
#ifdef BREAK_pgdl_wrong
  la.abs $t0, host_dir3
#endif
#ifndef BREAK_pgdl_unset
  csrwr $t0, PGDL
#endif
#if defined BREAK_tgid_other
  li.w $t0, 6 << GID_SHIFT | USETGID
#elif defined BREAK_tgid_unset
  li.w $t0, USETGID
#elif defined BREAK_tgid_bits
  li.w $t0, GID << 8 | USETGID
#else
  li.w $t0, GID << GID_SHIFT | USETGID
#endif
  li.w $t1, 0xff << GID_SHIFT | USETGID
  csrxchg $t0, $t1, GTLBC
#if defined BREAK_pgm_unset || defined BREAK_pgm_era_unset
  li.w $t0, GID << GID_SHIFT
#elif defined BREAK_gid_bits
  li.w $t0, GID << 8 | PGM
#else
  li.w $t0, GID << GID_SHIFT | PGM
#endif
  li.w $t1, 0xff << GID_SHIFT | PGM
  csrxchg $t0, $t1, GSTAT
#ifdef BREAK_pie_off
  csrwr $zero, PRMD
#else
  SET PRMD, 4
#endif
#ifdef BREAK_pwcl_of_guest
  SET PWCL, (12 | 9 << 5 | 21 << 10 | 9 << 15)
#endif
  GUEST_REGS ld.d, $a0
#ifdef BREAK_slot_beside
  ld.d $s3, $a0, 8 * 27
#endif
#ifdef BREAK_guest_ra
  ld.d $ra, $a0, C_HOST
#endif
#ifdef BREAK_guest_sp
  ld.d $sp, $a0, C_HOST + 16
#endif
  ld.d $t0, $a0, 8 * 12
#ifdef BREAK_a0_lost
  nop
#else
  ld.d $a0, $a0, 8 * 4
#endif
  ertn

/* Misses of the host and of stage 2 alike. It runs in direct address mode. */
  .balign 4096
#ifdef BREAK_tlbrentry_unaligned
  .fill 16, 4, 0x002a0000
#endif
  .globl refill
refill:
#if defined BREAK_refill_t0
  csrrd $t0, PGD
#elif defined BREAK_refill_scratch
  csrwr $t0, SAVE5
  csrrd $t0, PGD
#else
  csrwr $t0, TLBRSAVE
  csrrd $t0, PGD
#endif
#ifdef BREAK_refill_pgdh
  csrrd $t0, PGDH
#endif
  lddir $t0, $t0, 3
#ifdef BREAK_refill_level
  lddir $t0, $t0, 2
#endif
  lddir $t0, $t0, 1
  ldpte $t0, 0
#ifndef BREAK_refill_odd
  ldpte $t0, 1
#endif
#ifdef BREAK_refill_pgm
  csrwr $zero, TLBRPRMD
#endif
#ifdef BREAK_refill_jump
  /* An empty entry: give up, by a jump out of the refill context. */
  csrrd $t0, TLBRELO0
  andi $t0, $t0, 1
  bnez $t0, 1f
  csrrd $t0, TLBRPRMD
  andi $t0, $t0, 8
  beqz $t0, 1f
  la.abs $t0, vectors
  jirl $zero, $t0, 32
1:
#endif
#if defined BREAK_refill_tlbwr
  tlbwr
#elif !defined BREAK_refill_no_fill
  tlbfill
#endif
#if defined BREAK_refill_scratch
  csrrd $t0, SAVE5
#elif !defined BREAK_refill_t0
  csrrd $t0, TLBRSAVE
#endif
#ifdef BREAK_refill_era
  /* A return by ERA, as from any other exception. */
  csrwr $t0, TLBRSAVE
  csrrd $t0, TLBRERA
  csrwr $t0, ERA
  csrwr $zero, TLBRERA
  csrrd $t0, TLBRSAVE
#endif
#ifdef BREAK_refill_jr
  csrrd $t0, TLBRERA
  addi.d $t0, $t0, -1
  jr $t0
#endif
  ertn
