# viointc.c: an address behind the interrupt controller's registers counts as one of them
s/ && address < COREMAP + sizeof vm->coremap) return/) return/
