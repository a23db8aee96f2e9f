/* f: vectors: loops that the compiler turns into LSX instructions. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 20000
#endif
#define N 4096

static u8 pixels[N], mask[N], blended[N];
static short samples[N], gains[N];
static int sums[N];
static float x[N], y[N];

u64 bench_main(void) {
  for (int i = 0; i < N; i++) {
    pixels[i] = i * 7;
    mask[i] = i * 13 + 5;
    samples[i] = i * 31;
    gains[i] = 300 - i;
    x[i] = i * 0.5f;
    y[i] = i * 0.25f + 1;
  }
  u64 sum = 0;
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < N; i++) blended[i] = (u8)((pixels[i] & mask[i]) + (blended[i] >> 1));
    for (int i = 0; i < N; i++) sums[i] += samples[i] * gains[i];
    for (int i = 0; i < N; i++) y[i] = x[i] * 0.5f + y[i] * 0.25f;
    sum = sum * 31 + blended[round % N] + (u32)sums[round * 7 % N];
  }
  return sum + (u64)(y[100] * 1000);
}
