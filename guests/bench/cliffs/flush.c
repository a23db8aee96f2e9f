/* System calls of a program that works in 16 pages; in the bad case the kernel empties the TLB at the entry and at the return. */
#define REFILL_END \
  "  csrrd $t0, 0x89\n" /* looks at what it has filled */ \
  "  srli.d $t0, $t0, 13\n" \
  "  slli.d $t0, $t0, 13\n" \
  "  csrwr $t0, 0x11\n" \
  "  tlbsrch\n" \
  "  tlbrd\n"
#include "paging.h"

__asm__(
    "  .text\n"
    "  .balign 4096\n"
    "vector:\n"
#if BAD
    "  invtlb 3, $zero, $zero\n"
#endif
    "  csrrd $t0, 6\n"
    "  addi.d $t0, $t0, 4\n"
    "  csrwr $t0, 6\n"
    "  csrrd $t0, 0x19\n"
    "  csrwr $t0, 0x19\n"
#if BAD
    "  invtlb 3, $zero, $zero\n"
#endif
    "  ertn\n");
#pragma GCC visibility push(hidden)
extern char vector[];
#pragma GCC visibility pop

#define PAGES 16
static u64 directory[512] __attribute__((aligned(4096))), tables[512] __attribute__((aligned(4096)));
static u8 memory[PAGES][PAGE] __attribute__((aligned(4096)));

u64 bench_main(void) {
  for (int i = 0; i < PAGES; i++) map(directory, tables, i, (u64)memory[i]);
  WRITE_CSR(0xc, (u64)vector);
  start_paging(directory);
  volatile u64 *window = (volatile u64 *)WINDOW;
  u64 sum = 0;
  for (int round = 0; round < 60000; round++) {
    for (int k = 0; k < 20; k++)
      for (int i = 0; i < PAGES; i++) sum += window[i * (PAGE / 8) + k] += round;
    __asm__ volatile("syscall 0" : : : "t0", "memory");
  }
  return sum;
}
