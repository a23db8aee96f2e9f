/* A loop whose data is in its own page of code (bad), or in a page of its own (good). SAME_LINE: directly beside the loop. */
#include "../bench.h"

__asm__(
    "  .section .mixed, \"awx\", @progbits\n"
    "  .balign 4096\n"
    "loop:\n"
    "1:\n"
    "  ld.d $t0, $a1, 0\n"
    "  add.d $t0, $t0, $a0\n"
    "  st.d $t0, $a1, 0\n"
    "  ld.d $t1, $a1, 8\n"
    "  xor $t1, $t1, $t0\n"
    "  st.d $t1, $a1, 8\n"
    "  addi.d $a0, $a0, -1\n"
    "  bnez $a0, 1b\n"
    "  move $a0, $t1\n"
    "  jr $ra\n"
#ifdef SAME_LINE
    "  .balign 8\n"
#else
    "  .balign 1024\n"
#endif
    "in_page: .dword 0, 0\n"
    "  .balign 4096\n"
    "elsewhere: .dword 0, 0\n"
    "  .balign 4096\n"
    "  .text\n");
#pragma GCC visibility push(hidden)
extern u64 loop(u64 n, u64 *data);
extern u64 in_page[], elsewhere[];
#pragma GCC visibility pop

u64 bench_main(void) { return loop(LOOPS, BAD ? in_page : elsewhere); }
