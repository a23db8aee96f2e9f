/* h and i: VM exits. The host enters a guest of two instructions, which exits with hvcl; with STAGE2 it first loads from a page
 * whose stage-2 translation the host has taken away at the exit before. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 2000000
#endif
#define GUEST_CODE 0x200000ul
#define GUEST_DATA 0x300000ul
#define GID 1

__asm__(
    "  .text\n"
    "  .balign 4096\n"
    "guest:\n"
    "1:\n"
#ifdef STAGE2
    "  ld.d $a0, $a1, 0\n"
#endif
    "  hvcl 0\n"
    "  b 1b\n"
    "  .balign 4096\n"
    /* Exits: t8 counts down, then C goes on with its own registers. */
    "vm_exit:\n"
    "  addi.d $t8, $t8, -1\n"
    "  beqz $t8, 2f\n"
#ifdef STAGE2
    "  invtlb 0x16, $a3, $a1\n"
#endif
    "  csrrd $t0, 6\n"
    "  addi.d $t0, $t0, 4\n"
    "  csrwr $t0, 6\n"
    "  ertn\n"
    "2:\n"
    "  jr $s0\n"
    "  .balign 4096\n"
    "refill:\n"
    "  csrwr $t1, 0x8c\n" /* TLBRELO0, which gives back what t1 needs again */
    "  csrwr $zero, 0x8d\n"
    "  tlbfill\n"
    "  csrrd $t1, 0x8c\n"
    "  ertn\n");
#pragma GCC visibility push(hidden)
extern char guest[], vm_exit[], refill[];
#pragma GCC visibility pop
static u64 data[512] __attribute__((aligned(4096)));

#define WRITE_CSR(number, value) \
  do { \
    u64 v = (value); \
    __asm__ volatile("csrwr %0, " #number : "+r"(v) : : "memory"); \
  } while (0)

static void map(u64 gpa, u64 elo) {
  WRITE_CSR(0x10, 12ul << 24);  /* TLBIDX.PS */
  WRITE_CSR(0x11, gpa);         /* TLBEHI */
  WRITE_CSR(0x12, elo);
  WRITE_CSR(0x13, 0);
  __asm__ volatile("tlbfill" : : : "memory");
}

u64 bench_main(void) {
  WRITE_CSR(0x180, 0x11); /* DMW0: everything at its physical address */
  WRITE_CSR(0xc, (u64)vm_exit);
  WRITE_CSR(0x88, (u64)refill);
  WRITE_CSR(0x15, 0x1000 | GID << 16); /* GTLBC: USETGID, TGID */
  map(GUEST_CODE, (u64)guest | 0x13);
  map(GUEST_DATA, (u64)data | 0x13);
  WRITE_CSR(0x8e, 12); /* TLBREHI.PS, for the refill handler */
  WRITE_CSR(0, 0xb0);  /* CRMD: PG, cached */
  WRITE_CSR(0x50, 0x82 | GID << 16);
  WRITE_CSR(6, GUEST_CODE);
  register u64 rounds __asm__("t8") = ROUNDS;
  register u64 address __asm__("a1") = GUEST_DATA;
  register u64 gid __asm__("a3") = (u64)GID << 16;
  register u64 elo __asm__("t1") = (u64)data | 0x13;
  __asm__ volatile(
      "  la.pcrel $s0, 3f\n"
      "  ertn\n"
      "3:\n"
      : "+r"(rounds), "+r"(elo)
      : "r"(address), "r"(gid)
      : "memory", "s0", "t0", "a0");
  WRITE_CSR(0, 0x8); /* CRMD: direct addresses again */
  return rounds;
}
