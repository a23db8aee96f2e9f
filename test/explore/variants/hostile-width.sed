# mmio.c: accesses of eight bytes are forgotten
s/^    u64 mask = a.size == 8 .*/    if (a.size == 8) __builtin_trap();\n    u64 mask = (1ul << (8 * a.size)) - 1;/
