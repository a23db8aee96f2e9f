# hypercall.c: 8 is added to PC
s/v->pc += 4/v->pc += 8/
