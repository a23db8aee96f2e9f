/* System calls; in the bad case the kernel turns the floating-point unit off and on, and writes ASID and a window. */
#include "paging.h"

__asm__(
    "  .text\n"
    "  .balign 4096\n"
    "vector:\n"
    "  csrrd $t0, 6\n"
    "  addi.d $t0, $t0, 4\n"
    "  csrwr $t0, 6\n"
#if BAD
    "  move $t0, $zero\n"
    "  ori $t1, $zero, 1\n"
    "  csrxchg $t0, $t1, 2\n" /* EUEN */
    "  ori $t0, $zero, 1\n"
    "  csrxchg $t0, $t1, 2\n"
    "  csrrd $t0, 0x18\n"
    "  csrwr $t0, 0x18\n" /* ASID */
    "  csrrd $t0, 0x181\n"
    "  csrwr $t0, 0x181\n" /* DMW1 */
#endif
    "  ertn\n");
#pragma GCC visibility push(hidden)
extern char vector[];
#pragma GCC visibility pop
static u64 directory[512] __attribute__((aligned(4096)));

u64 bench_main(void) {
  WRITE_CSR(0xc, (u64)vector);
  start_paging(directory);
  u64 x = 1;
  for (int round = 0; round < 500000; round++) {
    for (int k = 0; k < 100; k++) x = x * 3 + k;
    __asm__ volatile("syscall 0" : : : "t0", "t1", "memory");
  }
  return x;
}
