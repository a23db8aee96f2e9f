/* Console output goes through the virtual UART, a store at a time: every character is an MMIO exit. */
#include "guest.h"

u64 guest_vcpus;

void put_char(char c) { *(volatile u8 *)UART = c; }

void put(const char *text) {
  while (*text) put_char(*text++);
}

static void put_number(u64 value, unsigned base) {
  char digits[24];
  unsigned n = 0;
  do digits[n++] = "0123456789abcdef"[value % base];
  while (value /= base);
  while (n) put_char(digits[--n]);
}

void put_hex(u64 value) {
  put("0x");
  put_number(value, 16);
}

void put_dec(u64 value) { put_number(value, 10); }

void finish(u64 status) {
  hypercall(HYPERCALL_EXIT, status);
  for (;;) {
  }
}
