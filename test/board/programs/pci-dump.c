/* Prints the configuration space of every function: each word, and what it becomes when ones and zeros are written. */
#include "board.h"

void program(void) {
  for (u32 slot = 0; slot < 32; slot++) {
    u64 base = CONFIG(slot);
    if (get32(base) == 0xffffffff) continue;
    for (u32 at = 0; at < 0x104; at += 4) {
      u32 old = get32(base + at);
      put32(base + at, 0xffffffff);
      u32 ones = get32(base + at);
      put32(base + at, 0);
      u32 zeros = get32(base + at);
      put32(base + at, old);
      if (!old && !ones) continue;
      print_hex(slot, 2), put(' '), print_hex(at, 3), put(' ');
      print_hex(old, 8), put(' '), print_hex(ones, 8), put(' '), print_hex(zeros, 8), put('\n');
    }
  }
  print("# end\n");
}
