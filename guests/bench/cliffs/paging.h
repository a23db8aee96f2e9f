/* A window of pages with tables of two levels, refilled by software; the program itself is in a direct mapping window. */
#ifndef PAGING_H
#define PAGING_H
#include "../bench.h"

#define PAGE 4096ul
#define WINDOW (-1ul << 40)
#define PTE_FLAGS 0x193 /* V, D, MAT = cached, P, W */

#define WRITE_CSR(number, value) \
  do { \
    u64 v_ = (value); \
    __asm__ volatile("csrwr %0, " #number : "+r"(v_) : : "memory"); \
  } while (0)

#ifndef REFILL_END
#define REFILL_END "" /* what the handler does after tlbfill */
#endif
__asm__(
    "  .text\n"
    "  .balign 4096\n"
    "refill:\n"
    "  csrwr $t0, 0x8b\n" /* TLBRSAVE */
    "  csrrd $t0, 0x1b\n" /* PGD */
    "  lddir $t0, $t0, 1\n"
    "  ldpte $t0, 0\n"
    "  ldpte $t0, 1\n"
    "  tlbfill\n" REFILL_END
    "  csrrd $t0, 0x8b\n"
    "  ertn\n");
#pragma GCC visibility push(hidden)
extern char refill[];
#pragma GCC visibility pop

/* The directory has index bits 29:21, a table has 20:12. */
static inline void map(u64 *directory, u64 *tables, u64 page, u64 pa) {
  u64 *table = tables + (page >> 9) * 512;
  directory[page >> 9] = (u64)table;
  table[page & 511] = pa | PTE_FLAGS;
}

static inline void use_tables(u64 *directory) { WRITE_CSR(0x1a, (u64)directory); }

static inline void start_paging(u64 *directory) {
  WRITE_CSR(0x88, (u64)refill);
  WRITE_CSR(0x180, 0x1f); /* DMW0: all of memory at its physical addresses, for every PLV */
  WRITE_CSR(0x1c, 12 | (9 << 5) | (21 << 10) | (9 << 15));
  WRITE_CSR(0x1d, 0);
  WRITE_CSR(0x1e, 12);
  use_tables(directory);
  WRITE_CSR(0, 0xb0); /* CRMD: PG, cached */
}
#endif
