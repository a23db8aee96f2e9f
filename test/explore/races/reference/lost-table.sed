# exit.c, vcpu.c: a vCPU gives its stage-2 table back when its time slice ends; one that stays loaded does not get it again
s/^    this_cpu()->running = 0;/&\n    v->stage2_root = 0;/
s/^  _load_guest_csrs(v);/&\n  v->stage2_root = phys(v->vm->stage2);/
