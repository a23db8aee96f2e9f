/* Stores to pages that hold data now; in the bad case they were executed once before. */
#include "../bench.h"

#define PAGES 64
#define WORDS (4096 / 4)
static u32 memory[PAGES][WORDS] __attribute__((aligned(4096)));

u64 bench_main(void) {
  for (int page = 0; page < PAGES; page++)
    for (int i = 0; i < WORDS; i++) memory[page][i] = i == WORDS - 1 ? 0x4c000020 : 0x03400000; /* jr ra; nop */
  __asm__ volatile("ibar 0" : : : "memory");
  if (BAD)
    for (int page = 0; page < PAGES; page++) ((void (*)(void))memory[page])();
  u64 x = 88172645463325252ul, sum = 0;
  for (int n = 0; n < 30000000; n++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    u32 *p = &memory[x >> 58][(x >> 40) % WORDS];
    sum += *p;
    *p = (u32)x;
  }
  return sum;
}
