/* A compiler: functions that are called 20 times; in the bad case each is written again before that. */
#include "../bench.h"

#define FUNCTIONS 64
#define WORDS 64
static u32 code[FUNCTIONS][WORDS] __attribute__((aligned(4096)));

static void compile(u32 *to, u32 seed) {
  for (int i = 0; i < WORDS - 1; i++) to[i] = 0x02c00084 | ((seed + i) & 0x7ff) << 10; /* addi.d a0, a0, … */
  to[WORDS - 1] = 0x4c000020; /* jr ra */
}

u64 bench_main(void) {
  u64 x = 1;
  for (int f = 0; f < FUNCTIONS; f++) compile(code[f], f);
  __asm__ volatile("ibar 0" : : : "memory");
  for (u32 round = 0; round < 1000; round++)
    for (int f = 0; f < FUNCTIONS; f++) {
      if (BAD) {
        compile(code[f], round * 7 + f);
        __asm__ volatile("ibar 0" : : : "memory");
      }
      for (int n = 0; n < 20; n++) x = ((u64(*)(u64))code[f])(x) ^ n;
    }
  return x;
}
