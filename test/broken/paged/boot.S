/*
 * A small hypervisor, written from docs/lvz.md and docs/board.md alone, in another style than src/hv: the host runs paged in the
 * upper half (PGDH, 16 KiB pages, one refill handler for itself and for stage 2), a vector for each cause (ECFG.VS), its own context
 * layout, its pointer in SAVE5, and stage 2 mapped when the guest needs it. With BREAK_… it has one mistake; mistakes.ts says which.
 *
 * Code that runs with GTLBC.TGID set lies in a direct mapping window (0x9000…), because a miss of the host would be filled as the guest's.
 */
#include "common.h"

  .section .boot, "ax"
  .globl _start
_start:
#ifdef BREAK_dmw_plv
  SET DMW1, 0x9000000000000010
#else
  SET DMW1, 0x9000000000000011
#endif
#ifndef BREAK_dmw_unset
  SET DMW0, 0x8000000000000001
#endif
  la.abs $t0, host_dir3
#ifndef BREAK_pgdh_unset
  csrwr $t0, PGDH
#endif
  la.abs $t0, absent_dir3
  csrwr $t0, PGDL
#ifdef BREAK_dir1_base
  SET PWCL, (14 | 11 << 5 | 20 << 10 | 11 << 15)
#elif defined BREAK_page_size
  SET PWCL, (12 | 11 << 5 | 23 << 10 | 11 << 15)
#elif !defined BREAK_pwcl_unset
  SET PWCL, GEOMETRY_L
#endif
#if defined BREAK_page_size
  SET PWCH, (34 | 11 << 6)
#elif !defined BREAK_pwch_unset
  SET PWCH, GEOMETRY_H
#endif
  SET STLBPS, 14
  csrwr $zero, ASID
  la.abs $t0, refill
  bstrpick.d $t0, $t0, 46, 0
#ifdef BREAK_tlbrentry_virtual
  li.d $t1, 0xffff800000000000
  or $t0, $t0, $t1
#endif
#ifndef BREAK_tlbrentry_unset
  csrwr $t0, TLBRENTRY
#endif
  la.abs $t0, vectors
#ifdef BREAK_eentry_zero
  move $t0, $zero
#endif
#ifdef BREAK_eentry_physical
  bstrpick.d $t0, $t0, 46, 0
#endif
#ifndef BREAK_eentry_unset
  csrwr $t0, EENTRY
#endif
#ifdef BREAK_vs_zero
  SET ECFG, TI
#elif defined BREAK_vs_two
  SET ECFG, 2 << 16 | TI
#elif defined BREAK_vs_four
  SET ECFG, 4 << 16 | TI
#else
  SET ECFG, VECTORS << 16 | TI
#endif
  invtlb 0, $zero, $zero
#ifdef BREAK_pg_too_early
  li.d $t0, 0x10
  li.d $t1, 0x18
  csrxchg $t0, $t1, CRMD         /* here PC is a physical address, which no page and no window maps */
  la.abs $t0, main
  jr $t0
#else
  /* Into the upper half: the return from a refill changes PC and mode together. */
  la.abs $t0, main
#ifndef BREAK_is_tlbr
  ori $t0, $t0, 1
#endif
  csrwr $t0, TLBRERA
  csrwr $zero, TLBRPRMD
  ertn
#endif

/* Page tables, at physical addresses. An empty directory entry leads to a table of absent entries. */
  .section .tables, "aw"
  .balign PAGE
absent_pages:
  .fill ENTRIES, 8, 0
absent_dir1:
  .rept ENTRIES
  .quad absent_pages
  .endr
absent_dir3:
  .rept ENTRIES
  .quad absent_dir1
  .endr
/* The host: the first 128 MiB. */
host_pages:
  .set page, 0
  .rept 4 * ENTRIES
  .quad page | VD | GLOBAL
  .set page, page + PAGE
  .endr
host_dir1:
  .set n, 0
  .rept 4
  .quad host_pages + n * PAGE
  .set n, n + 1
  .endr
  .rept ENTRIES - 4
  .quad absent_pages
  .endr
host_dir3:
  .quad host_dir1
  .rept ENTRIES - 1
  .quad absent_dir1
  .endr
/* Stage 2. */
#if defined BREAK_leaf_invalid
#define LEAF (VD & ~1)
#elif defined BREAK_leaf_clean
#define LEAF (VD & ~2)
#elif defined BREAK_leaf_nx
#define LEAF (VD | 1 << 62)
#elif defined BREAK_leaf_high
#define LEAF (VD | 0x200000000000)
#else
#define LEAF VD
#endif
#ifdef BREAK_leaf_gpa
#define LEAF_BASE (GUEST_BASE + 0x2000000)
#else
#define LEAF_BASE GUEST_HPA
#endif
  .globl stage2_pages, stage2_dir3, absent_dir3
stage2_pages:
  .fill GUEST_BASE / PAGE, 8, 0
  .set n, 0
  .rept (LAZY - GUEST_BASE) / PAGE
  .quad LEAF_BASE + n * PAGE | LEAF
  .set n, n + 1
  .endr
  .fill ENTRIES - LAZY / PAGE, 8, 0
stage2_dir1:
  .quad stage2_pages
  .rept ENTRIES - 1
  .quad absent_pages
  .endr
stage2_dir3:
#if defined BREAK_dir_empty
  .quad 0
#elif defined BREAK_dir_flags
  .quad stage2_dir1 + GLOBAL + VD
#else
  .quad stage2_dir1
#endif
  .rept ENTRIES - 1
  .quad absent_dir1
  .endr
