# hypercall.c: how many bytes the guest gives back is its own word
s/stage2_unmap(v->vm, argument, PAGE_SIZE)/stage2_unmap(v->vm, argument, v->gpr[6] ? v->gpr[6] : PAGE_SIZE)/
