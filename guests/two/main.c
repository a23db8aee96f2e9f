/* Run it twice: two guests with the same addresses, time-sliced. Each fills memory with its own pattern and finds it
 * unchanged however often the other one has run in between. */
#include "../lib/guest.h"

#define WORDS 4096
#define ROUNDS 4

static volatile u64 memory[WORDS];

void guest_exception(u64 estat, u64 era, u64 badv) { (void)estat, (void)era, (void)badv; }

void guest_main(u64 gid, const char *append) {
  u64 pattern = gid * 0x0101010101010101ul, wrong = 0;
  csr_write(CSR_SAVE3, pattern);
  for (unsigned round = 1; round <= ROUNDS; round++) {
    for (unsigned i = 0; i < WORDS; i++) memory[i] = pattern + i * round;
    if (round & 1) hypercall(HYPERCALL_YIELD, 0);
    else
      for (u64 start = rdtime(); rdtime() - start < 1500000;) {
      } /* longer than a time slice: the host timer takes the CPU away */
    for (unsigned i = 0; i < WORDS; i++) wrong += memory[i] != pattern + i * round;
    wrong += csr_read(CSR_SAVE3) != pattern;
    put("two: ");
    put(*append ? append : "guest");
    put(" round ");
    put_dec(round);
    put(wrong ? " MISMATCH\n" : " intact\n");
  }
  finish(wrong != 0);
}
