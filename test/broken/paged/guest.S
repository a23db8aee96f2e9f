/* The guest: every kind of exit, its own page tables, its timer, an interrupt line; it checks its registers all the time. */
#include "common.h"

  .section .guest, "awx"
  .globl guest_start
guest_start:
  .irp n, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  li.d $r\n, 0x0101010101010100 + \n
  .endr
  la.abs $sp, guest_stack
  /* Before it has vectors: its own exceptions would be lost. */
#ifndef BREAK_guest_eentry_unset
  la.abs $t0, guest_vector
#ifdef BREAK_guest_eentry_zero
  move $t0, $zero
#endif
  csrwr $t0, EENTRY
#endif
#ifndef BREAK_guest_tlbrentry_unset
  la.abs $t0, guest_refill
#ifdef BREAK_guest_tlbrentry_virtual
  li.d $t1, 0xffff800000000000
  or $t0, $t0, $t1
#endif
  csrwr $t0, TLBRENTRY
#endif
#ifndef BREAK_guest_dmw_unset
  SET DMW0, 0x11
#endif
#ifdef BREAK_guest_dmw
  SET DMW0, 0x18
#endif
  SET PWCL, GEOMETRY_L
  SET PWCH, GEOMETRY_H
  SET STLBPS, 14
  la.abs $t0, guest_dir3
#ifdef BREAK_guest_pgdh_unset
  move $t0, $zero
#endif
  csrwr $t0, PGDH
  la.abs $t0, guest_dir3
  csrwr $t0, PGDL
  invtlb 0, $zero, $zero
  li.w $t0, 0x10
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD

  li.w $a0, 'o'
  hvcl CALL_PUTCHAR
  li.w $t0, 2
  li.w $a0, 0x66
  li.w $ra, 0x67
  cpucfg $t1, $t0
  li.w $t0, 0x66
  bne $a0, $t0, guest_failed
  li.w $t0, 0x67
  bne $ra, $t0, guest_failed
  li.w $a0, 'k'
  li.d $t0, UART
  st.b $a0, $t0, 0
  /* Its own page, by its own refill handler. */
  li.d $t0, 0xffff800000000000
  st.d $s3, $t0, 0
  ld.d $t1, $t0, 0
  bne $t1, $s3, guest_failed
  /* A page that its own handler maps at the first store. */
  li.d $t0, 0xffff800000000000 + 2 * PAGE
  st.d $s3, $t0, 0
  ld.d $t1, $t0, 0
  bne $t1, $s3, guest_failed
  /* Pages that stage 2 maps when they are touched. */
  li.w $t0, LAZY
  li.w $t2, 6
1:
  st.d $t0, $t0, 16
  ld.d $t1, $t0, 16
  bne $t1, $t0, guest_failed
  li.d $t1, PAGE
  add.d $t0, $t0, $t1
  addi.d $t2, $t2, -1
  bnez $t2, 1b
  hvcl CALL_MOVE
  li.w $t0, LAZY
  ld.d $t1, $t0, 0
  li.w $t0, 0x77
  bne $t1, $t0, guest_failed
  syscall 0
#ifdef BREAK_guest_ine
  .word 0x00000001
#endif
#ifdef BREAK_guest_break
  break 5
#endif
#ifdef BREAK_guest_stack
  /* A stack where nothing is, and an exception whose handler uses it. */
  li.d $sp, 0xffff800010000000
  la.abs $t0, guest_vector_with_stack
  csrwr $t0, EENTRY
  syscall 0
#endif
#ifdef BREAK_guest_fpd
  fadd.d $fa0, $fa0, $fa0
#endif
#ifdef BREAK_guest_null
  move $t0, $zero
  li.d $t1, 0x6000000000000000
  ld.d $t0, $t1, 8
#endif
#ifdef BREAK_guest_jump_null
  jirl $ra, $zero, 0
#endif
  /* An interrupt line, which the hypervisor raises and lowers. */
  SET ECFG, 4
  li.w $t0, 4
  csrxchg $t0, $t0, CRMD
  li.w $a0, 1
  hvcl CALL_LINE
  la.abs $t0, raised
1:
  ld.d $t1, $t0, 0
#if defined BREAK_line_other || defined BREAK_line_estat
  idle 0
#endif
  beqz $t1, 1b
#ifdef BREAK_pie_off
1:
  b 1b                             /* it computes, and the host wants the CPU back now and then */
#endif
  /* Its timer. */
#ifdef BREAK_guest_vs
  SET ECFG, 3 << 16 | 0x800
#else
  SET ECFG, 0x800
#endif
  la.abs $t0, ticked
  st.d $zero, $t0, 0
#ifdef BREAK_guest_lie
  csrwr $zero, ECFG
#endif
#if defined BREAK_guest_timer_short
  SET TCFG, 4 | 3
#elif !defined BREAK_guest_timer_unset
  SET TCFG, 3000 | 1
#endif
#ifdef BREAK_guest_ie
  li.w $t0, 4
  csrxchg $zero, $t0, CRMD
#endif
1:
  idle 0
  la.abs $t0, ticked
  ld.d $t1, $t0, 0
  beqz $t1, 1b
#ifdef BREAK_guest_halt
1:
  b 1b
#endif
  /* World switches, at which nothing may be lost. */
  li.w $t2, 3000
2:
  hvcl CALL_NOTHING
  .irp n, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  li.d $t0, 0x0101010101010100 + \n
  bne $r\n, $t0, guest_failed
  .endr
  la.abs $t0, guest_stack
  bne $sp, $t0, guest_failed
  addi.d $t2, $t2, -1
  bnez $t2, 2b
  /* A system call of its own, and one that the hypervisor injects: its handler skips both. */
  li.w $t3, 0
  syscall 0
  addi.w $t3, $t3, 1
  addi.w $t3, $t3, 1
  hvcl CALL_INJECT
  li.w $t0, 2
  bne $t3, $t0, guest_failed
  li.w $a0, '\n'
  li.d $t0, UART
  st.b $a0, $t0, 0
  li.w $a0, 0x34
  li.d $t0, POWER
  st.b $a0, $t0, 0
guest_failed:
  hvcl CALL_FAIL

  .balign 4096
#ifdef BREAK_guest_eentry_unaligned
  .fill 16, 4, 0x002a0000
#endif
guest_vector:
  csrwr $t0, SAVE1
  csrwr $t1, SAVE2
  csrrd $t0, ESTAT
  bstrpick.w $t1, $t0, 21, 16
  beqz $t1, guest_interrupt
  addi.w $t1, $t1, -2
  beqz $t1, guest_maps
  addi.w $t1, $t1, -9
  bnez $t1, guest_other
#ifndef BREAK_guest_era_not_advanced
  csrrd $t0, ERA
  addi.d $t0, $t0, 4
  csrwr $t0, ERA
#endif
guest_return:
#ifdef BREAK_guest_era_zero
  csrwr $zero, ERA
#endif
#ifdef BREAK_guest_plv
  li.w $t0, 7
  csrwr $t0, PRMD
#endif
  csrrd $t1, SAVE2
  csrrd $t0, SAVE1
  ertn
guest_maps:
  csrrd $t0, BADV
  li.d $t1, 0xffff800000000000
  sub.d $t0, $t0, $t1
  li.d $t1, 3 * PAGE
  bgeu $t0, $t1, guest_other
  la.abs $t0, guest_frame + 2 * PAGE + VD
  la.abs $t1, guest_pages
  st.d $t0, $t1, 16
  csrrd $t0, BADV
#if defined BREAK_guest_stale_asid
  li.w $t1, 7
  invtlb 5, $t1, $t0
#elif defined BREAK_guest_stale_page
  invtlb 5, $zero, $zero
#elif defined BREAK_guest_stale_global
  invtlb 5, $zero, $t0
#elif !defined BREAK_guest_stale
  invtlb 6, $zero, $t0
#endif
  b guest_return
guest_interrupt:
  srli.w $t1, $t0, 2
  andi $t1, $t1, 1
  bnez $t1, guest_line
#ifndef BREAK_guest_ticlr
  li.w $t1, 1
  csrwr $t1, TICLR
#endif
  la.abs $t0, ticked
  st.d $t0, $t0, 0
  b guest_return
guest_line:
  la.abs $t0, raised
  st.d $t0, $t0, 0
  csrwr $a0, 0x33
  li.w $a0, 0
#ifndef BREAK_guest_line
  hvcl CALL_LINE
#endif
  csrrd $a0, 0x33
  b guest_return
guest_other:
#ifdef BREAK_guest_fpd
  b guest_return
#endif
  b guest_failed

  .balign 4096
guest_vector_with_stack:
  addi.d $sp, $sp, -16
  st.d $t0, $sp, 0
  ertn

  .balign 4096
guest_refill:
  csrwr $t0, TLBRSAVE
  csrrd $t0, PGD
  lddir $t0, $t0, 3
  lddir $t0, $t0, 1
  ldpte $t0, 0
  ldpte $t0, 1
#ifdef BREAK_guest_refill_asid
  li.w $t0, 1
  csrwr $t0, ASID
#endif
#ifndef BREAK_guest_no_fill
  tlbfill
#endif
#ifdef BREAK_guest_refill_asid
  csrwr $zero, ASID
#endif
  csrrd $t0, TLBRSAVE
  ertn

  .balign 8
ticked:
  .quad 0
raised:
  .quad 0
  .fill 64, 8, 0
guest_stack:
  .balign PAGE
guest_pages:
  .quad guest_frame + VD
  .quad guest_frame + PAGE + VD
  /* With a frame, without V: they are mapped at the first store. */
#ifdef BREAK_guest_stale_global
  .quad GLOBAL
  .quad GLOBAL
#else
  .quad 0
  .quad 0
#endif
  .fill ENTRIES - 4, 8, 0
guest_dir1:
  .rept ENTRIES
  .quad guest_pages
  .endr
guest_dir3:
  .rept ENTRIES
  .quad guest_dir1
  .endr
guest_frame:
  .fill 3 * PAGE, 1, 0
