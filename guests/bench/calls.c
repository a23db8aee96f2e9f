/* c: calls and branches: fib, a table of functions, a byte-code loop, Ackermann's function. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 3
#endif

static __attribute__((noinline)) u64 fib(u64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static __attribute__((noinline)) u64 ack(u64 m, u64 n) {
  if (m == 0) return n + 1;
  return n == 0 ? ack(m - 1, 1) : ack(m - 1, ack(m, n - 1));
}

#define OPERATION(name, expression) \
  static __attribute__((noinline)) u64 name(u64 x) { return expression; }
OPERATION(op0, x + 1)
OPERATION(op1, x ^ 0x55)
OPERATION(op2, x * 3)
OPERATION(op3, (x >> 3) | (x << 61))
OPERATION(op4, x - 7)
OPERATION(op5, ~x)
OPERATION(op6, x & (x >> 1))
OPERATION(op7, x + (x << 4))
static u64 (*const volatile operations[8])(u64) = {op0, op1, op2, op3, op4, op5, op6, op7};

static const u8 program[] = {0, 1, 2, 3, 4, 2, 5, 1, 6, 3, 0, 4, 7};
static __attribute__((noinline)) u64 interpret(u64 count) {
  u64 a = 1, b = 2, at = 0;
  while (count--) {
    switch (*(const volatile u8 *)&program[at]) {
      case 0: a += b; break;
      case 1: b ^= a; break;
      case 2: a = a * 5 + 1; break;
      case 3: b -= a >> 3; break;
      case 4: a ^= b << 2; break;
      case 5: b += 77; break;
      case 6: a -= b; break;
      default: at = (u64)-1;
    }
    at++;
  }
  return a ^ b;
}

u64 bench_main(void) {
  u64 sum = 0;
  for (int round = 0; round < ROUNDS; round++) {
    sum += fib(32);
    u64 x = round;
    for (u64 i = 0; i < 20000000; i++) x = operations[(x ^ i) & 7](x);
    sum += x + interpret(40000000) + ack(2, 2000);
  }
  return sum;
}
