/* The guest's own timer: periodic interrupts delivered inside the guest, `idle` between them. */
#include "../lib/guest.h"

#define PERIOD 200000ul /* 2 ms at 100 MHz */

extern char guest_vector[];
static volatile unsigned ticks;

void guest_exception(u64 estat, u64 era, u64 badv) {
  (void)era, (void)badv;
  if (((estat >> 16) & 0x3f) != ECODE_INT || !(estat & IS_TIMER)) {
    put("timer: unexpected exception, ESTAT ");
    put_hex(estat);
    put("\n");
    finish(1);
  }
  csr_write(CSR_TICLR, 1);
  ticks++;
}

void guest_main(u64 gid, const char *append) {
  (void)gid, (void)append;
  csr_write(CSR_EENTRY, (u64)guest_vector);
  csr_write(CSR_ECFG, IS_TIMER);
  csr_write(CSR_TCFG, PERIOD | 3);
  u64 start = rdtime();
  csr_xchg(CSR_CRMD, CRMD_IE, CRMD_IE);
  for (unsigned seen = 0; seen < 5;) {
    __asm__ volatile("idle 0" ::: "memory");
    while (seen < ticks) {
      seen++;
      put("timer: tick ");
      put_dec(seen);
      put("\n");
    }
  }
  csr_write(CSR_TCFG, 0);
  u64 passed = rdtime() - start;
  put(passed >= 5 * PERIOD && passed < 7 * PERIOD ? "timer: five periods took the right time\n" : "timer: WRONG TIME\n");
  finish(0);
}
