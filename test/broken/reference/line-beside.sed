# viointc.c: an interrupt goes to the line beside the one that the guest has chosen
s/lines |= v->vm->ipmap\[group\];/lines |= v->vm->ipmap[group] << 1;/
