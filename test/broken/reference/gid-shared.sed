# vm.c: all VMs have one GID
s/vm->gid = vm_count;/vm->gid = 1;/
