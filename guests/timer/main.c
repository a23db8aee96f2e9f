/* Interrupts inside a guest: its own timer, periodic, with `idle` between the ticks; and a device interrupt that the
 * hypervisor injects (the virtual UART's). */
#include "../lib/guest.h"

#define PERIOD 200000ul /* 2 ms at 100 MHz */

extern char guest_vector[];
#define UART_IER (*(volatile u8 *)(UART + 1))
#define UART_IIR (*(volatile u8 *)(UART + 2))
#define IER_TX 2
#define IS_UART (1 << 2) /* HWI0 */

static volatile unsigned ticks, uart_iir;

void guest_exception(u64 estat, u64 era, u64 badv) {
  (void)era, (void)badv;
  if (((estat >> 16) & 0x3f) == ECODE_INT && estat & IS_UART) {
    uart_iir = UART_IIR; /* reading it acknowledges */
    return;
  }
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
  csr_write(CSR_ECFG, IS_UART);
  UART_IER = IER_TX; /* the transmitter is empty: the interrupt comes before the next instruction */
  unsigned seen_iir = uart_iir;
  UART_IER = 0;
  put(seen_iir == 2 ? "timer: the UART interrupt was injected\n" : "timer: NO UART INTERRUPT\n");
  finish(0);
}
