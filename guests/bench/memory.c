/* b: memory: copies by words and by bytes, pointer chasing, quicksort. The two buffers of the copy share no slot of a
 * direct-mapped TLB, as QEMU's is (a separate matter, not measured here). */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 12
#endif
#define MIB (1ul << 20)

static struct {
  u64 source[2 * MIB], gap[26 * 1024], target[2 * MIB];
} copy;
static u32 chain[2 * MIB];
static u32 numbers[MIB];

static u64 random_state = 88172645463325252ul;
static u64 next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static void sort(u32 *a, long low, long high) {
  while (low < high) {
    u32 pivot = a[(low + high) / 2];
    long i = low, j = high;
    while (i <= j) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i <= j) {
        u32 t = a[i];
        a[i++] = a[j];
        a[j--] = t;
      }
    }
    if (j - low < high - i) {
      sort(a, low, j);
      low = i;
    } else {
      sort(a, i, high);
      high = j;
    }
  }
}

u64 bench_main(void) {
  u64 sum = 0;
  for (u64 i = 0; i < 2 * MIB; i++) copy.source[i] = i * 0x9e3779b97f4a7c15ul;
  for (u32 i = 0; i < 2 * MIB; i++) chain[i] = (i * 1664525u + 1013904223u) % (2 * MIB);
  for (int round = 0; round < ROUNDS; round++) {
    for (u64 i = 0; i < 2 * MIB; i++) {
      copy.target[i] = copy.source[i];
      __asm__ volatile("" ::: "memory");
    }
    const u8 *from = (const u8 *)copy.target;
    u8 *to = (u8 *)copy.source;
    for (u64 i = 0; i < 4 * MIB; i++) {
      to[i] = from[i] + 1;
      __asm__ volatile("" ::: "memory");
    }
    u32 at = round;
    for (u64 i = 0; i < MIB; i++) at = chain[at];
    for (u64 i = 0; i < MIB; i++) numbers[i] = next_random();
    sort(numbers, 0, MIB - 1);
    sum = sum * 31 + at + numbers[MIB / 2] + copy.target[round * 1000];
  }
  return sum;
}
