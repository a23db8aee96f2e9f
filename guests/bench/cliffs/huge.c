/* Loads and stores at random in 1 MiB (good) or 256 MiB (bad) of small pages. */
#include "paging.h"

#define PAGES (BAD ? 65536 : 256)
static u64 directory[512] __attribute__((aligned(4096))), tables[128 * 512] __attribute__((aligned(4096)));
#define MEMORY 0x90000000ul /* behind the devices */

u64 bench_main(void) {
  for (int i = 0; i < PAGES; i++) map(directory, tables, i, MEMORY + i * PAGE);
  start_paging(directory);
  volatile u64 *window = (volatile u64 *)WINDOW;
  u64 x = 88172645463325252ul, sum = 0;
  for (int n = 0; n < 3000000; n++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    volatile u64 *p = &window[(x >> 20) % (PAGES * 512ul)];
    sum += *p;
    *p = x;
  }
  return sum;
}
