# stage2.c: a stage-2 entry changes and its TLB entry stays
/^  smp_flush_stage2(vm->gid, gpa, size);/d
