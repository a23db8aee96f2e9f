/* The rest of the hypervisor, paged in the upper half: one guest, its exits, its devices. */
#include "common.h"

  .section .upper, "ax"
  .globl main
main:
  la.abs $sp, stack_top
  csrrd $t0, GCFG
  csrwr $t0, GCFG
  csrwr $zero, GSTAT
  csrwr $zero, GINTC
  csrwr $zero, GCNTC
  li.w $t0, USETGID
  li.w $t1, 0xff << GID_SHIFT | USETGID
  csrxchg $t0, $t1, GTLBC
  invtlb 0x12, $zero, $zero
#ifdef BREAK_guest_paged
  li.w $t0, 0x10
#else
  li.w $t0, 8
#endif
#ifdef BREAK_csr_for_gcsr
  csrwr $t0, CRMD
#else
  gcsrwr $t0, CRMD
#endif
  li.w $t0, 14
  gcsrwr $t0, STLBPS
  gcsrwr $zero, TCFG
  SET TCFG, 40000 | 3
  la.abs $s0, context
  li.d $t0, 0x9000000000000000
  bstrpick.d $s0, $s0, 46, 0
  or $s0, $s0, $t0
  la.abs $t0, guest_start
  st.d $t0, $s0, C_PC
  li.w $s1, 0x5151
  li.w $s2, 0x5252

run:
#ifdef BREAK_idle_first
  idle 0
#endif
#ifdef BREAK_tgid_early
  /* As AxVisor: TGID is written in ordinary code, and the rest of the way is paged. */
  li.w $t0, GID << GID_SHIFT
  li.w $t1, 0xff << GID_SHIFT
  csrxchg $t0, $t1, GTLBC
  la.abs $t1, far_away
  ld.d $t0, $t1, 0
#endif
  move $a0, $s0
#ifdef BREAK_context_null
  move $a0, $zero
#endif
  la.abs $tp, of_this_cpu
  la.abs $t0, enter
  jirl $ra, $t0, 0
  st.d $t0, $sp, -8                /* the stack is in use */
  ld.d $t0, $tp, 0                 /* and so is what belongs to this CPU */
#ifdef BREAK_host_polls
  /* It waits for a line of a device that it has not enabled. */
1:
  csrrd $t0, ESTAT
  andi $t0, $t0, 8
  beqz $t0, 1b
#endif
#ifdef BREAK_slow_exit
  /* Each exit takes long, and misses pages of its own. */
  invtlb 2, $zero, $zero
  la.abs $t0, far_away
  ld.d $t0, $t0, 0
  li.w $t0, 60000
1:
  addi.d $t0, $t0, -1
  bnez $t0, 1b
#endif
  csrrd $t1, SAVE2
  addi.w $t2, $t1, -64
  bgez $t2, interrupt
  addi.w $t2, $t1, -0x16
  beqz $t2, sensitive
  addi.w $t2, $t1, -0x17
  beqz $t2, hypercall
  sltui $t2, $t1, 8
  bnez $t2, fault
  b host_died

interrupt:
  invtlb 2, $zero, $zero           /* the host maps its own memory anew */
  csrwr $zero, PRMD                /* and returns to itself, as a host with processes does */
  la.abs $t0, 1f
#ifndef BREAK_host_era
  csrwr $t0, ERA
#endif
  ertn
1:
#ifndef BREAK_timer_not_acknowledged
  li.w $t0, 1
  csrwr $t0, TICLR
#endif
  b run

/* cpucfg reads 0; idle goes on at once; the rest is ignored. */
sensitive:
  ld.d $t0, $s0, C_BADI
  srli.w $t1, $t0, 10
  addi.w $t1, $t1, -0x1b
  bnez $t1, skip
  andi $t0, $t0, 31
  alsl.d $t0, $t0, $s0, 3
  st.d $zero, $t0, 0
skip:
#if defined BREAK_gspr_not_skipped || defined BREAK_slow_exit
  b run
#endif
advance:
  ld.d $t0, $s0, C_PC
#ifdef BREAK_skip_twice
  addi.d $t0, $t0, 4
#endif
  addi.d $t0, $t0, 4
  st.d $t0, $s0, C_PC
  b run

hypercall:
#ifdef BREAK_lock_kept
  /* A lock that it has taken before. */
  la.abs $t1, lock
1:
  ld.w $t2, $t1, 0
  bnez $t2, 1b
#endif
  ld.d $t0, $s0, C_BADI
  bstrpick.w $t0, $t0, 14, 0
  addi.w $t1, $t0, -CALL_PUTCHAR
  beqz $t1, putchar
  addi.w $t1, $t0, -CALL_MOVE
  beqz $t1, move_page
  addi.w $t1, $t0, -CALL_INJECT
  beqz $t1, inject
  addi.w $t1, $t0, -CALL_LINE
  beqz $t1, set_line
  addi.w $t1, $t0, -CALL_FAIL
  beqz $t1, failed
#ifdef BREAK_hvcl_not_skipped
  b run
#endif
  b advance

putchar:
  ld.d $t0, $s0, 8 * 4
  li.d $t1, 0x8000000000000000 + UART
  st.b $t0, $t1, 0
  b advance

/* As the CPU delivers an exception. */
inject:
  gcsrrd $t0, CRMD
  andi $t1, $t0, 7
  gcsrwr $t1, PRMD
  sub.d $t0, $t0, $t1
  gcsrwr $t0, CRMD
  li.w $t0, 0xb << 16
  li.w $t1, 0x7fff0000
  gcsrxchg $t0, $t1, ESTAT
  ld.d $t0, $s0, C_PC
#ifndef BREAK_inject_era
  gcsrwr $t0, ERA
#endif
  gcsrrd $t0, EENTRY
  st.d $t0, $s0, C_PC
  b run

set_line:
  ld.d $t0, $s0, 8 * 4
#ifdef BREAK_line_stays
  ori $t0, $t0, 1
#endif
#ifdef BREAK_line_other
  slli.d $t0, $t0, 1
#endif
#ifdef BREAK_line_estat
  /* ESTAT.IS of the guest is not where lines are injected. */
  slli.d $t0, $t0, 2
  gcsrwr $t0, ESTAT
  b advance
#endif
  csrwr $t0, GINTC
  b advance

failed:
  li.w $t0, 'F'
  li.d $t1, 0x8000000000000000 + UART
  st.b $t0, $t1, 0
  b power_off

/* A stage-2 fault: a page of the guest that is not mapped yet, or a device. */
fault:
  ld.d $t0, $s0, C_BADV
  li.w $t1, LAZY
  bltu $t0, $t1, device
  li.w $t1, GUEST_BASE + GUEST_PAGES * PAGE
  bgeu $t0, $t1, device
#ifdef BREAK_skip_after_map
  ld.d $t1, $s0, C_PC
  addi.d $t1, $t1, 4
  st.d $t1, $s0, C_PC
#endif
  li.w $t1, GUEST_BASE
  sub.d $t1, $t0, $t1
  bstrins.d $t1, $zero, 13, 0
#ifdef BREAK_map_invalid
  li.d $t2, GUEST_HPA
#else
  li.d $t2, GUEST_HPA | VD
#endif
  add.d $t1, $t1, $t2
map:
  la.abs $t2, stage2_pages
  li.d $t3, 0x9000000000000000
  or $t2, $t2, $t3
  srli.d $t3, $t0, 14
  alsl.d $t2, $t3, $t2, 3
#ifndef BREAK_map_nothing
  st.d $t1, $t2, 0
#endif
#if defined BREAK_invtlb_gid_bits
  li.w $t1, GID
  invtlb 0x16, $t1, $t0
#elif defined BREAK_invtlb_guest_type
  li.w $t1, GID << GID_SHIFT
  invtlb 0x13, $t1, $zero
#elif defined BREAK_invtlb_host
  invtlb 6, $zero, $t0
#elif defined BREAK_invtlb_page
  li.w $t1, GID << GID_SHIFT
  srli.d $t0, $t0, 14
  invtlb 0x16, $t1, $t0
#elif !defined BREAK_invtlb_missing
  li.w $t1, GID << GID_SHIFT
  invtlb 0x16, $t1, $t0
#endif
  b run

/* The page at LAZY moves: its content is another one afterwards. */
move_page:
  li.d $t0, MOVED_HPA + 0x9000000000000000
  li.w $t1, 0x77
  st.d $t1, $t0, 0
  ld.d $t0, $s0, C_PC
  addi.d $t0, $t0, 4
  st.d $t0, $s0, C_PC
  li.w $t0, LAZY
  li.d $t1, MOVED_HPA | VD
#ifdef BREAK_move_no_invtlb
  la.abs $t2, stage2_pages
  li.d $t3, 0x9000000000000000
  or $t2, $t2, $t3
  srli.d $t3, $t0, 14
  alsl.d $t2, $t3, $t2, 3
  st.d $t1, $t2, 0
  b run
#endif
  b map

/* The only stores to devices are st.b $a0 to the UART and st.b to the power register. */
device:
  li.w $t1, UART
  beq $t0, $t1, uart
  li.w $t1, POWER
  beq $t0, $t1, power_off
  b host_died
uart:
  ld.d $t0, $s0, 8 * 4
  li.d $t1, 0x8000000000000000 + UART
  st.b $t0, $t1, 0
#ifdef BREAK_mmio_not_skipped
  b run
#endif
  b advance

  .globl host_died
host_died:
  li.w $t0, '!'
  li.d $t1, 0x8000000000000000 + UART
  st.b $t0, $t1, 0
power_off:
  li.w $t0, 0x34
  li.d $t1, 0x8000000000000000 + POWER
  st.b $t0, $t1, 0
1:
  b 1b

  .section .upperdata, "aw"
  .balign PAGE
context:
  .fill C_SIZE, 1, 0
  .balign PAGE
  .fill 2 * PAGE, 1, 0
stack_top:
  .fill 2 * PAGE, 1, 0
lock:
  .word 1
  .balign 8
of_this_cpu:
  .dword 0
  .globl far_away
  .balign PAGE
far_away:
  .fill PAGE, 1, 0
