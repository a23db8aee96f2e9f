# mmio.c: PC stays on the access that was emulated
/^  v->pc += 4;/d
