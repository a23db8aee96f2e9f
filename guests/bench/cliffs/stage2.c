/* A guest that works in 64 pages, and makes a hypercall after that; in the bad case the host invalidates one of the 64 pages in
 * stage 2 at each call. */
#include "paging.h"

#define PAGES 64
#define GUEST_CODE 0x200000ul
#define GUEST_DATA 0x400000ul
#define GID 1
#define ROUNDS 50000

__asm__(
    "  .text\n"
    "  .balign 4096\n"
    "guest:\n"
    "1:\n"
    "  ori $a2, $zero, 20\n"
    "2:\n"
    "  move $a0, $a1\n"
    "  ori $a4, $zero, 64\n"
    "3:\n"
    "  ld.d $a5, $a0, 0\n"
    "  add.d $a5, $a5, $a2\n"
    "  st.d $a5, $a0, 0\n"
    "  add.d $a0, $a0, $a6\n"
    "  addi.d $a4, $a4, -1\n"
    "  bnez $a4, 3b\n"
    "  addi.d $a2, $a2, -1\n"
    "  bnez $a2, 2b\n"
    "  hvcl 0\n"
    "  b 1b\n"
    "  .balign 4096\n"
    "vm_exit:\n"
    "  addi.d $t8, $t8, -1\n"
    "  beqz $t8, 2f\n"
#if BAD
    "  andi $t0, $t8, 63\n"
    "  slli.d $t0, $t0, 12\n"
    "  add.d $t0, $t0, $a1\n"
    "  invtlb 0x16, $a3, $t0\n"
#endif
    "  csrrd $t0, 6\n"
    "  addi.d $t0, $t0, 4\n"
    "  csrwr $t0, 6\n"
    "  ertn\n"
    "2:\n"
    "  jr $s0\n");
#pragma GCC visibility push(hidden)
extern char guest[], vm_exit[];
#pragma GCC visibility pop
static u64 directory[512] __attribute__((aligned(4096))), tables[8][512] __attribute__((aligned(4096)));
static u8 data[PAGES][PAGE] __attribute__((aligned(4096)));

u64 bench_main(void) {
  map(directory, tables[0], GUEST_CODE >> 12, (u64)guest);
  for (int i = 0; i < PAGES; i++) map(directory, tables[0], (GUEST_DATA >> 12) + i, (u64)data[i]);
  WRITE_CSR(0xc, (u64)vm_exit);
  WRITE_CSR(0x15, 0x1000 | GID << 16); /* GTLBC: USETGID, TGID */
  WRITE_CSR(0x19, (u64)directory);
  start_paging(directory);
  WRITE_CSR(0x50, 0x82 | GID << 16);
  WRITE_CSR(6, GUEST_CODE);
  register u64 rounds __asm__("t8") = ROUNDS;
  register u64 address __asm__("a1") = GUEST_DATA;
  register u64 gid __asm__("a3") = (u64)GID << 16;
  register u64 step __asm__("a6") = PAGE;
  __asm__ volatile(
      "  la.pcrel $s0, 3f\n"
      "  ertn\n"
      "3:\n"
      : "+r"(rounds)
      : "r"(address), "r"(gid), "r"(step)
      : "memory", "s0", "t0", "a0", "a2", "a4", "a5");
  WRITE_CSR(0, 0x8); /* CRMD: direct addresses again */
  u64 sum = 0;
  for (int i = 0; i < PAGES; i++) sum += *(u64 *)data[i];
  return sum;
}
