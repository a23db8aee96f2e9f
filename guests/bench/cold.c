/* d: cold code: 6000 small functions, each called in turn, 100 times over. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 100
#endif

#define F(n) \
  static __attribute__((noinline)) u64 f##n(u64 x) { \
    x = (x ^ (1##n##ul * 0x9e3779b9ul)) + (x >> (1 + 1##n##ul % 13)); \
    return x & (1ul << (1##n##ul % 31)) ? x * (2 * 1##n##ul + 1) : x - (x << (1 + 1##n##ul % 7)); \
  }
#define R(n) &f##n,
#define TEN(M, n) M(n##0) M(n##1) M(n##2) M(n##3) M(n##4) M(n##5) M(n##6) M(n##7) M(n##8) M(n##9)
#define HUNDRED(M, n) \
  TEN(M, n##0) TEN(M, n##1) TEN(M, n##2) TEN(M, n##3) TEN(M, n##4) TEN(M, n##5) TEN(M, n##6) TEN(M, n##7) TEN(M, n##8) TEN(M, n##9)
#define THOUSAND(M, n) \
  HUNDRED(M, n##0) HUNDRED(M, n##1) HUNDRED(M, n##2) HUNDRED(M, n##3) HUNDRED(M, n##4) HUNDRED(M, n##5) HUNDRED(M, n##6) \
  HUNDRED(M, n##7) HUNDRED(M, n##8) HUNDRED(M, n##9)
#define ALL(M) THOUSAND(M, 1) THOUSAND(M, 2) THOUSAND(M, 3) THOUSAND(M, 4) THOUSAND(M, 5) THOUSAND(M, 6)

ALL(F)
static u64 (*const functions[])(u64) = {ALL(R)};

u64 bench_main(void) {
  u64 x = 1;
  for (int round = 0; round < ROUNDS; round++)
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) x = functions[i](x);
  return x;
}
