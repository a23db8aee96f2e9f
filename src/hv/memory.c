/* Page allocator (pages are never freed) and the two functions that the compiler expects. */
#include "vm.h"

static u64 next_free, end_of_memory;

void memory_init(u64 start, u64 end) {
  next_free = start;
  end_of_memory = end;
}

/* Zeroed memory in the cached window; `align` is a power of two. */
void *page_alloc(u64 bytes, u64 align) {
  u64 at = (next_free + align - 1) & ~(align - 1);
  if (at + bytes > end_of_memory) panic("out of memory: %u KiB wanted", bytes / 1024);
  next_free = at + bytes;
  return memset(cached(at), 0, bytes);
}

void *memset(void *to, int c, u64 n) {
  u64 pattern = (u8)c * 0x0101010101010101ul, *w = to;
  if (((u64)to & 7) == 0)
    for (; n >= 64; n -= 64, w += 8)
      w[0] = w[1] = w[2] = w[3] = w[4] = w[5] = w[6] = w[7] = pattern;
  for (u8 *p = (u8 *)w; n; n--) *p++ = c;
  return to;
}

void *memcpy(void *to, const void *from, u64 n) {
  u8 *d = to;
  for (const u8 *s = from; n; n--) *d++ = *s++;
  return to;
}
