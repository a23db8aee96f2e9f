/* Every instruction that exits with GSPR, one after the other; and two that must not exit. */
#include "../lib/guest.h"

extern char guest_vector[];
static volatile u64 last_ecode;

/* Skips the instruction that raised the exception; interrupts only wake `idle` here, they stay disabled. */
void guest_exception(u64 estat, u64 era, u64 badv) {
  (void)badv;
  last_ecode = (estat >> 16) & 0x3f;
  csr_write(CSR_ERA, era + 4);
}

static void report(const char *what, u64 value) {
  put("privileged: ");
  put(what);
  put(" -> ");
  put_hex(value);
  put("\n");
}

void guest_main(u64 gid, const char *append) {
  (void)gid, (void)append;
  csr_write(CSR_EENTRY, (u64)guest_vector);
  report("cpucfg 2, LVZ hidden", (cpucfg(2) >> 10) & 0xf);
  report("cpucfg 1, PALEN and VALEN", (cpucfg(1) >> 4) & 0xffff);
  u64 value;
  __asm__ volatile("iocsrrd.w %0, %1" : "=r"(value) : "r"(0x8));
  report("iocsrrd.w 0x8", value);
  __asm__ volatile("iocsrwr.w %0, %1" : : "r"(1), "r"(0x1004));
  report("iocsrwr.w 0x1004", 0);
  report("csrrd IMPCTL1, outside the bank", csr_read(CSR_IMPCTL1));
  csr_write(CSR_DBG, 0x1234);
  report("csrwr DBG, read back", csr_read(CSR_DBG));
  __asm__ volatile("cacop 0, $zero, 0"); /* index type: exits */
  report("cacop, index type", 0);
  __asm__ volatile("cacop 16, %0, 0" : : "r"((u64)guest_vector)); /* hit type: does not */
  report("cacop, hit type", 0);
  csr_write(CSR_ECFG, IS_TIMER);
  csr_write(CSR_TCFG, 40000 | 1);
  __asm__ volatile("idle 0" ::: "memory");
  report("idle, woken by the timer: ESTAT.TI", (csr_read(CSR_ESTAT) >> 11) & 1);
  csr_write(CSR_TICLR, 1);
  last_ecode = 0;
  __asm__ volatile("syscall 0"); /* delivered inside the guest */
  report("syscall, Ecode seen by the guest", last_ecode);
  last_ecode = 0;
  __asm__ volatile(".word 0x05001400"); /* gcsrrd: does not exist for a guest */
  report("gcsrrd, Ecode seen by the guest", last_ecode);
  finish(0);
}
