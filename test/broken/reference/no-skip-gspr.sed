# gspr.c: PC stays on the instruction that was emulated
/^  v->pc += 4;/d
