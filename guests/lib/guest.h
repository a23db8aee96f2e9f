/* What the guests share: hypercalls, console output, CSR access. */
#ifndef GUEST_H
#define GUEST_H

#define HYPERCALL_PUTCHAR 1
#define HYPERCALL_EXIT 2
#define HYPERCALL_YIELD 3
#define HYPERCALL_LOG_DIRTY 4
#define HYPERCALL_RELEASE 5
#define UART 0x1fe001e0
#define POWER 0x100e001c
#define POWER_OFF 0x34

#ifndef __ASSEMBLER__
#include "../../src/hv/csr.h"

static inline u64 hypercall(u64 function, u64 argument) {
  register u64 a0 __asm__("a0") = function;
  register u64 a1 __asm__("a1") = argument;
  __asm__ volatile("hvcl 0x100" : "+r"(a0) : "r"(a1) : "memory");
  return a0;
}

/* How many vCPUs this guest has. */
extern u64 guest_vcpus;

void put_char(char c);
void put(const char *text);
void put_hex(u64 value);
void put_dec(u64 value);
/* Ends the guest: 0 is success. */
void finish(u64 status) __attribute__((noreturn));

/* Called by start.S. */
void guest_main(u64 gid, const char *append);
/* Called by the general exception vector; returns to the interrupted instruction unless ERA is changed. */
void guest_exception(u64 estat, u64 era, u64 badv);
#endif
#endif
