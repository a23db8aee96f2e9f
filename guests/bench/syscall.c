/* g: system calls and other exceptions: each goes through the vector and back. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 3000000
#endif

__asm__(
    "  .text\n"
    "  .balign 4096\n"
    "vector:\n"
    "  csrwr $t0, 0x30\n" /* SAVE0 */
    "  csrwr $t1, 0x31\n" /* SAVE1 */
    "  csrrd $t0, 5\n"    /* ESTAT */
    "  srli.d $t0, $t0, 16\n"
    "  andi $t0, $t0, 63\n"
    "  add.d $a0, $a0, $t0\n"
    "  csrrd $t1, 6\n" /* ERA */
    "  addi.d $t1, $t1, 4\n"
    "  csrwr $t1, 6\n"
    "  csrrd $t0, 0x30\n"
    "  csrrd $t1, 0x31\n"
    "  ertn\n");
#pragma GCC visibility push(hidden)
extern char vector[];
#pragma GCC visibility pop

u64 bench_main(void) {
  u64 entry = (u64)vector;
  __asm__ volatile("csrwr %0, 0xc" : "+r"(entry)); /* EENTRY */
  register u64 a0 __asm__("a0") = 1;
  for (int i = 0; i < ROUNDS; i++) {
    __asm__ volatile("syscall 0" : "+r"(a0));
    a0 = a0 * 3 + i;
    if ((i & 3) == 0) __asm__ volatile("break 0" : "+r"(a0));
  }
  return a0;
}
