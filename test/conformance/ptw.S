/* Page walk by hardware (Vol. 1 v1.10, 5.4.5). */
#include "conformance.h"
#define V 1
#define D 2
#define CC 0x10
#define PRESENT 0x80
#define WRITE 0x100
#define HUGE 0x40
#define VA 0xffffffffc0000000
  .macro ENTRY bits
  invtlb 0, $zero, $zero
  la.pcrel $t0, page
  li.w $t1, \bits
  or $t0, $t0, $t1
  la.pcrel $t1, table
  st.d $t0, $t1, 0
  la.pcrel $t2, refill_count
  st.d $zero, $t2, 0
  FORGET
  .endm
  PROGRAM "page walk by hardware"
  CPUCFG $s0, 2, 24, 24
  NEEDS $s0, "no page walk by hardware (CPUCFG 2)"
  la.pcrel $s0, page
  li.d $s1, 0x1122334455667788
  st.d $s1, $s0, 8
  li.w $t0, 9
  csrwr $t0, DMW0
  li.w $t0, 12
  csrwr $t0, STLBPS
  csrwr $zero, ASID
  /* Two levels: a directory by bits 29:21, tables by bits 20:12, entries of 8 bytes. */
  li.d $t0, 12 | 9 << 5 | 21 << 10 | 9 << 15
  csrwr $t0, PWCL
  li.d $t0, 1 << 24
  csrwr $t0, PWCH
  la.pcrel $t0, directory
  csrwr $t0, PGDH
  la.pcrel $t0, directory
  la.pcrel $t1, table
  st.d $t1, $t0, 0
  li.w $t0, 0x10
  li.w $t1, 0x18
  csrxchg $t0, $t1, CRMD
  li.d $s2, VA
  # Manual: 5.4.5, 7.5.9
  ENTRY PRESENT | WRITE | CC
  ld.d $s1, $s2, 8
  CHECK "a load", $s1, 0x1122334455667788
  NOTED $s3, refill_count
  CHECK "without a refill exception", $s3, 0
  NOT_TRAPPED "nor any other"
  la.pcrel $s4, table
  ld.d $s3, $s4, 0
  andi $s3, $s3, 3
  CHECK "sets V in the entry", $s3, V
  st.d $s1, $s2, 16
  ld.d $s3, $s4, 0
  andi $s3, $s3, 3
  CHECK "a store sets D, though the TLB held the page clean", $s3, V | D
  NOT_TRAPPED "without PME"
  ENTRY PRESENT | CC
  st.d $zero, $s2, 8
  TRAPPED "a store to a page without write permission", PME
  ENTRY WRITE | CC
  ld.d $s1, $s2, 8
  TRAPPED "a load from a page that is not present", PIL
  # Manual: 5.4.5
  /* The directory's entry is a huge page: half of it is 1 MiB. */
  invtlb 0, $zero, $zero
  la.pcrel $t0, directory
  move $t1, $s0
  bstrins.d $t1, $zero, 20, 0
  li.w $t2, PRESENT | WRITE | HUGE | CC
  or $t1, $t1, $t2
  st.d $t1, $t0, 0
  bstrpick.d $s5, $s0, 20, 0
  add.d $s5, $s2, $s5
  li.w $s1, 0
  ld.d $s1, $s5, 8
  CHECK "a huge page in a directory", $s1, 0x1122334455667788
  NOTED $s3, refill_count
  CHECK "is found by the hardware too", $s3, 0
  move $t0, $s5
  csrwr $t0, TLBEHI
  tlbsrch
  tlbrd
  csrrd $s1, TLBIDX
  bstrpick.d $s1, $s1, 29, 24
  CHECK "its halves are pages of 1 MiB", $s1, 20
  la.pcrel $t0, directory
  la.pcrel $t1, table
  st.d $t1, $t0, 0
  ENTRY PRESENT | WRITE | CC
  csrwr $zero, PWCH
  la.pcrel $t0, refill_lo0
  la.pcrel $t1, page
  ori $t1, $t1, V | D | CC
  st.d $t1, $t0, 0
  ld.d $s1, $s2, 8
  NOTED $s3, refill_count
  CHECK "with HPTW_En off a miss is a refill exception again", $s3, 1
  invtlb 0, $zero, $zero
  END_PROGRAM
  .data
  .balign 4096
directory: .space 4096
table: .space 4096
page: .space 8192
