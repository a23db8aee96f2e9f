/* j: context switches: two address spaces that share nothing take turns; a change of ASID and page table each time. TLB
 * misses are refilled by software, from tables of one level. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 300000
#endif
#define PAGES 16
#define PAGE 4096ul

/* Refills: TLBRBADV[20:13] selects a pair of entries in the table at PGDH. */
__asm__(
    "  .text\n"
    "  .balign 4096\n"
    "refill:\n"
    "  csrwr $t0, 0x8b\n" /* TLBRSAVE */
    "  csrrd $t0, 0x1b\n" /* PGD */
    "  lddir $t0, $t0, 1\n"
    "  ldpte $t0, 0\n"
    "  ldpte $t0, 1\n"
    "  tlbfill\n"
    "  csrrd $t0, 0x8b\n"
    "  ertn\n");
#pragma GCC visibility push(hidden)
extern char refill[];
#pragma GCC visibility pop

static u64 tables[2][2][512] __attribute__((aligned(4096)));
static u8 memory[2][PAGES][PAGE] __attribute__((aligned(4096)));

static inline void write_pgdh(u64 x) { __asm__ volatile("csrwr %0, 0x1a" : "+r"(x)); }
static inline void write_asid(u64 x) { __asm__ volatile("csrwr %0, 0x18" : "+r"(x)); }

u64 bench_main(void) {
  u64 x = (u64)refill;
  __asm__ volatile("csrwr %0, 0x88" : "+r"(x));
  x = 0x11; /* DMW0: this program, at its physical addresses, PLV0, cached */
  __asm__ volatile("csrwr %0, 0x180" : "+r"(x));
  /* One directory (level 1, index bits 29:21) over page tables (index bits 20:12), 64-bit entries. */
  x = 12 | (9 << 5) | (21 << 10) | (9 << 15);
  __asm__ volatile("csrwr %0, 0x1c" : "+r"(x));
  x = 0;
  __asm__ volatile("csrwr %0, 0x1d" : "+r"(x));
  x = 12;
  __asm__ volatile("csrwr %0, 0x1e" : "+r"(x)); /* STLBPS */
  for (int space = 0; space < 2; space++) {
    tables[space][0][0] = (u64)tables[space][1];
    for (int i = 0; i < PAGES; i++) tables[space][1][i] = (u64)memory[space][i] | 0x193; /* V D G=0 MAT=1 P W */
  }
  x = 0xb0; /* CRMD: PG, cached */
  __asm__ volatile("csrwr %0, 0" : "+r"(x));
  u64 sum = 0;
  volatile u64 *window = (volatile u64 *)(-1ul << 40);
  for (int round = 0; round < ROUNDS; round++) {
    int space = round & 1;
    write_pgdh((u64)tables[space][0]);
    write_asid(space + 1);
    for (int i = 0; i < PAGES; i++) {
      u64 v = window[i * (PAGE / 8)] + round + i;
      window[i * (PAGE / 8)] = v;
      sum += v;
    }
    if ((round & 63) == 0) __asm__ volatile("invtlb 4, %0, $zero" : : "r"((u64)space + 1)); /* G = 0 of that ASID */
  }
  return sum;
}
