# hypercall.c: PC stays on the hvcl
/^  v->pc += 4;/d
