# viocsr.c: a mask of bytes that is empty is waited for
s/^  u64 keep = 0;/  while (!(command >> 27 \& 0xf) \&\& command \& 0x80) __asm__ volatile("");\n&/
