/* Address spaces that take turns: 4 (good), or 200 (bad). Each works in 16 pages. */
#include "paging.h"

#define SPACES (BAD ? 200 : 4)
#define PAGES 16
static u64 directories[200][512] __attribute__((aligned(4096))), tables[200][512] __attribute__((aligned(4096)));
static u8 memory[200][PAGES][PAGE] __attribute__((aligned(4096)));

u64 bench_main(void) {
  for (int s = 0; s < SPACES; s++)
    for (int i = 0; i < PAGES; i++) map(directories[s], tables[s], i, (u64)memory[s][i]);
  start_paging(directories[0]);
  volatile u64 *window = (volatile u64 *)WINDOW;
  u64 sum = 0;
  int space = 0;
  for (int round = 0; round < 100000; round++) {
    if (++space == SPACES) space = 0;
    use_tables(directories[space]);
    WRITE_CSR(0x18, space + 1);
    for (int k = 0; k < 20; k++)
      for (int i = 0; i < PAGES; i++) sum += window[i * (PAGE / 8) + k] += round;
  }
  return sum;
}
