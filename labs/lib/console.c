/* The console of the host, its end, and what it says of an exception of its own. */
#include "lab.h"

#define UART ((volatile u8 *)(WINDOW_UNCACHED | 0x1fe001e0))
#define POWER ((volatile u8 *)(WINDOW_UNCACHED | 0x100e001c))
#define POWER_OFF 0x34

void print_char(char c) { *UART = c; }

void print(const char *text) {
  while (*text) print_char(*text++);
}

void print_hex(u64 value) {
  unsigned shift = 60;
  print("0x");
  while (shift && !(value >> shift)) shift -= 4;
  for (;; shift -= 4) {
    print_char("0123456789abcdef"[value >> shift & 15]);
    if (!shift) return;
  }
}

void print_number(u64 value) {
  if (value >= 10) print_number(value / 10);
  print_char('0' + value % 10);
}

void power_off(void) {
  *POWER = POWER_OFF;
  for (;;)
    ;
}

void host_exception(u64 estat, u64 era, u64 badv) {
  print("host: exception ");
  print_hex(estat >> 16 & 0x3f);
  print(" at ");
  print_hex(era);
  print(", BADV ");
  print_hex(badv);
  print("\n");
  power_off();
}
