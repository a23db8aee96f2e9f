/* Address translation: direct mapping windows, TLB, page faults (Vol. 1, chapter 5). */
#include "conformance.h"
/* Bits of a TLB entry: V, D, PLV 3, MAT coherent cached, G; not executable, not readable, restricted level. */
#define V 1
#define D 2
#define USER 0xc
#define CC 0x10
#define G 0x40
#define NX 0x4000000000000000
#define NR 0x2000000000000000
#define RPLV 0x8000000000000000
/* Outside every window: the TLB translates it. */
#define VA 0xffffffffc0000000
  /* The next refill maps the pair of 4 KiB pages at `page` with these bits in both halves. */
  .macro MAPS bits
  invtlb 0, $zero, $zero
  la.pcrel $t0, page
  li.d $t1, \bits
  or $t0, $t0, $t1
  la.pcrel $t2, refill_lo0
  st.d $t0, $t2, 0
  li.w $t1, 4096
  add.d $t0, $t0, $t1
  la.pcrel $t2, refill_lo1
  st.d $t0, $t2, 0
  la.pcrel $t2, refill_count
  st.d $zero, $t2, 0
  FORGET
  .endm

  PROGRAM "address translation"
  la.pcrel $s0, page
  li.d $s1, 0x1122334455667788
  st.d $s1, $s0, 8
  li.d $s1, 0x99aabbccddeeff00
  li.w $t0, 4096
  add.d $t0, $t0, $s0
  st.d $s1, $t0, 8
  /* Window 0: segment 0 at its own addresses, for PLV 0 and 3, strongly ordered. */
  li.w $t0, 9
  csrwr $t0, DMW0
  li.d $t0, 0x9000000000000011
  csrwr $t0, DMW1
  li.w $t0, 12
  csrwr $t0, STLBPS
  csrwr $zero, ASID
  FORGET
  li.w $t0, 0x10
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  # Manual: 5.2.1, 7.5.18
  li.d $s2, 0x9000000000000000
  add.d $s2, $s2, $s0
  ld.d $s1, $s2, 8
  CHECK "a window maps its segment", $s1, 0x1122334455667788
  NOT_TRAPPED "without an exception"
  li.d $s2, VA
  # Manual: 5.4.3.1, 5.4.4, 6.3.4, 7.5.12
  MAPS V | D | CC
  ld.d $s1, $s2, 8
  CHECK "a load through the TLB", $s1, 0x1122334455667788
  NOTED $s3, refill_count
  CHECK "after one refill", $s3, 1
  NOTED $s3, refill_badv
  CHECK "for its address", $s3, VA + 8
  li.w $t0, 4096
  add.d $s4, $s2, $t0
  ld.d $s1, $s4, 8
  CHECK "the odd page is the other half of the entry", $s1, 0x99aabbccddeeff00
  NOTED $s3, refill_count
  CHECK "without another refill", $s3, 1
  st.d $s0, $s2, 16
  ld.d $s1, $s0, 16
  sub.d $s1, $s1, $s0
  CHECK "a store through the TLB", $s1, 0
  # Manual: 5.4.3.1, 5.4.3.3, 5.4.4, 7.4.8, 7.5.2
  MAPS 0
  ld.d $s1, $s2, 0x123
  NOTED $s3, trap_badv
  TRAPPED "a load from an invalid page", PIL
  CHECK "BADV is the address", $s3, VA + 0x123
  csrrd $s3, TLBEHI
  bstrpick.d $s3, $s3, 47, 0
  CHECK "TLBEHI has the page pair", $s3, VA & 0xffffffffffff
  st.d $zero, $s2, 0
  TRAPPED "a store to an invalid page", PIS
  la.pcrel $t0, 1f
  la.pcrel $t1, resume
  st.d $t0, $t1, 0
  jirl $zero, $s2, 0
1:
  TRAPPED "a fetch from an invalid page", PIF
  MAPS V | CC
  st.d $zero, $s2, 8
  TRAPPED "a store to a clean page", PME
  ld.d $s1, $s2, 8
  CHECK "which stores nothing", $s1, 0x1122334455667788
  MAPS V | D | CC | NR
  ld.d $s1, $s2, 8
  TRAPPED "a load from an unreadable page", PNR
  st.d $s1, $s2, 32
  NOT_TRAPPED "which stores may write"
  MAPS V | D | CC | NX
  la.pcrel $t0, 2f
  la.pcrel $t1, resume
  st.d $t0, $t1, 0
  jirl $zero, $s2, 0
2:
  TRAPPED "a fetch from a page not executable", PNX
  /* At PLV 3, a page of PLV 0; then at PLV 0 a page restricted to PLV 3. */
  MAPS V | D | CC
  la.pcrel $t0, 3f
  csrwr $t0, ERA
  li.w $t0, 3
  csrwr $t0, PRMD
  la.pcrel $s3, 4f
  la.pcrel $s4, resume
  ertn
3:
  st.d $s3, $s4, 0
  ld.d $s1, $s2, 8
4:
  TRAPPED "a user's load from a page of PLV 0", PPI
  MAPS V | D | CC | USER | RPLV
  ld.d $s1, $s2, 8
  TRAPPED "a kernel's load from a page restricted to PLV 3", PPI
  MAPS V | D | CC | USER
  ld.d $s1, $s2, 8
  NOT_TRAPPED "a kernel's load from a user's page"
  # Manual: 5.2
  /* Addresses outside the implemented range. */
  FORGET
  li.d $s3, 0x4000000000000000
  ld.d $s1, $s3, 0
  TRAPPED "a load from an address that is not canonical raises ADEM", ADE, 1
  la.pcrel $t0, 5f
  la.pcrel $t1, resume
  st.d $t0, $t1, 0
  jirl $zero, $s3, 0
5:
  TRAPPED "a fetch raises ADEF", ADE, 0
  # Manual: 5.4.2, 5.4.4, 7.5.4, 4.2.4.7
  /* Address spaces and global pages. */
  MAPS V | D | CC
  ld.d $s1, $s2, 8
  li.w $t0, 5
  csrwr $t0, ASID
  ld.d $s1, $s2, 8
  NOTED $s3, refill_count
  CHECK "another ASID misses", $s3, 2
  csrwr $zero, ASID
  ld.d $s1, $s2, 8
  NOTED $s3, refill_count
  CHECK "the first one still hits", $s3, 2
  li.w $t0, 5
  invtlb 4, $t0, $zero
  ld.d $s1, $s2, 8
  NOTED $s3, refill_count
  CHECK "invtlb 4 leaves other address spaces alone", $s3, 2
  li.w $t0, 5
  csrwr $t0, ASID
  ld.d $s1, $s2, 8
  NOTED $s3, refill_count
  CHECK "and takes its own", $s3, 3
  MAPS V | D | CC | G
  ld.d $s1, $s2, 8
  csrwr $zero, ASID
  ld.d $s1, $s2, 8
  NOTED $s3, refill_count
  CHECK "a global page hits in every address space", $s3, 1
  invtlb 3, $zero, $zero
  ld.d $s1, $s2, 8
  NOTED $s3, refill_count
  CHECK "invtlb 3 leaves global pages", $s3, 1
  invtlb 6, $zero, $s2
  ld.d $s1, $s2, 8
  NOTED $s3, refill_count
  CHECK "invtlb 6 takes one address, global or not", $s3, 2
  # Manual: 4.2.4.1, 4.2.4.2, 7.5.1, 7.5.2, 7.5.3
  /* Search, read, write. */
  move $t0, $s2
  csrwr $t0, TLBEHI
  tlbsrch
  csrrd $s1, TLBIDX
  srli.d $s1, $s1, 31
  andi $s1, $s1, 1
  CHECK "tlbsrch finds it", $s1, 0
  tlbrd
  csrrd $s1, TLBELO0
  andi $s1, $s1, 0x7f
  CHECK "tlbrd reads its bits", $s1, V | D | CC | G
  csrrd $s1, TLBIDX
  bstrpick.d $s1, $s1, 29, 24
  CHECK "and its page size", $s1, 12
  li.d $t0, VA + 0x10000000
  csrwr $t0, TLBEHI
  tlbsrch
  csrrd $s1, TLBIDX
  srli.d $s1, $s1, 31
  andi $s1, $s1, 1
  CHECK "tlbsrch of an address without entry sets NE", $s1, 1
  invtlb 0, $zero, $zero
  csrwr $zero, TLBIDX
  tlbrd
  csrrd $s1, TLBELO0
  CHECK "tlbrd of no entry reads 0", $s1, 0
  csrrd $s1, TLBIDX
  srli.d $s1, $s1, 31
  andi $s1, $s1, 1
  CHECK "and sets NE", $s1, 1
  # Manual: 5.4.1, 5.4.2
  /* A huge page: 2 MiB at physical 0. */
  la.pcrel $t0, refill_ps
  li.w $t1, 21
  st.d $t1, $t0, 0
  invtlb 0, $zero, $zero
  li.w $t1, V | D | CC
  la.pcrel $t0, refill_lo0
  st.d $t1, $t0, 0
  li.w $t2, 0x200000
  or $t1, $t1, $t2
  la.pcrel $t0, refill_lo1
  st.d $t1, $t0, 0
  add.d $s3, $s2, $s0
  ld.d $s1, $s3, 8
  CHECK "a page of 2 MiB", $s1, 0x1122334455667788
  # Manual: 5.2.1, 7.5.18
  /* Window 2 is for loads and stores only. */
  FORGET
  li.d $t0, 0xa000000000000019
  csrwr $t0, DMW2
  li.d $s3, 0xa000000000000000
  add.d $s3, $s3, $s0
  ld.d $s1, $s3, 8
  CHECK "window 2 serves loads", $s1, 0x1122334455667788
  st.d $s0, $s3, 24
  NOT_TRAPPED "and stores"
  la.pcrel $t0, 6f
  la.pcrel $t1, resume
  st.d $t0, $t1, 0
  jirl $zero, $s3, 0
6:
  NOTED $s4, trap_badv
  TRAPPED "but no fetches", ADE, 0
  sub.d $s4, $s4, $s3
  CHECK "BADV is the target", $s4, 0
  csrwr $zero, DMW2
  # Manual: 5.4.2, 7.5.3
  /* G in one half only. */
  li.d $s3, VA + 0x20000
  invtlb 0, $zero, $zero
  li.w $t0, 12 << 24
  csrwr $t0, TLBIDX
  move $t0, $s3
  csrwr $t0, TLBEHI
  li.w $t0, V | D | CC | G
  csrwr $t0, TLBELO0
  li.w $t0, V | D | CC
  csrwr $t0, TLBELO1
  tlbfill
  tlbsrch
  tlbrd
  csrrd $s1, TLBELO0
  CHECK "an entry is not global by one half: tlbrd shows no G in the even half", $s1, V | D | CC
  csrrd $s1, TLBELO1
  CHECK "nor in the odd half", $s1, V | D | CC
  # Manual: 7.5.2
  csrrd $s1, TLBEHI
  CHECK "TLBEHI has the sign of the address", $s1, VA + 0x20000
  # Manual: 4.2.4.1, 7.2.2
  li.d $t0, VA + 0x30000
  csrwr $t0, TLBEHI
  li.w $s4, 0
  tlbsrch
  csrrd $s1, TLBIDX
  bltz $s1, 7f
  li.w $s4, 1
7:
  CHECK "TLBIDX is negative after a search that found nothing", $s4, 0
  # Manual: 5.4.5, 7.5.15
  /* A table entry with every bit set. */
  li.d $t0, 12 | 9 << 5
  csrwr $t0, PWCL
  la.pcrel $t0, page
  li.d $t1, -1
  st.d $t1, $t0, 0
  csrwr $zero, TLBRBADV
  ldpte $t0, 0
  csrrd $s1, TLBRELO0
  CHECK "ldpte ignores bits that an entry does not have", $s1, 0xe000fffffffff07f
  # Manual: 5.4.4
  MAPS V | D | CC | NR | USER | RPLV
  ld.d $s1, $s2, 8
  TRAPPED "the privilege level is checked before NR", PPI
  MAPS V | D | CC | NX | USER | RPLV
  la.pcrel $t0, 8f
  la.pcrel $t1, resume
  st.d $t0, $t1, 0
  jirl $zero, $s2, 0
8:
  TRAPPED "and after NX", PNX
  /* Back to direct addresses. */
  li.w $t0, 8
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  ld.d $s1, $s0, 8
  CHECK "direct address mode again", $s1, 0x1122334455667788
  END_PROGRAM
  .data
  .balign 8192
page: .space 8192
