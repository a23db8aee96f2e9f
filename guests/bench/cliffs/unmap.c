/* Pages that are mapped, used and, in the bad case, unmapped one by one. */
#include "paging.h"

#define PAGES 512
static u64 directory[512] __attribute__((aligned(4096))), tables[512] __attribute__((aligned(4096)));
static u8 memory[PAGES][PAGE] __attribute__((aligned(4096)));

u64 bench_main(void) {
  for (int i = 0; i < PAGES; i++) map(directory, tables, i, (u64)memory[i]);
  start_paging(directory);
  volatile u64 *window = (volatile u64 *)WINDOW;
  u64 sum = 0;
  if (BAD)
    for (int i = 0; i < PAGES; i++) tables[i] = 0;
  for (int round = 0; round < 1000; round++) {
    for (int i = 0; i < PAGES; i++) {
      if (BAD) map(directory, tables, i, (u64)memory[i]);
      for (int k = 0; k < 100; k++) sum += window[i * (PAGE / 8) + k] += round;
      if (BAD) {
        tables[i] = 0;
        __asm__ volatile("invtlb 5, $zero, %0" : : "r"(&window[i * (PAGE / 8)]) : "memory");
      }
    }
  }
  return sum;
}
