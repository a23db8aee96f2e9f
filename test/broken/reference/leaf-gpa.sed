# vm.c: guest pages are mapped to the same physical addresses
s/vm->ram_hpa, vm->memory/GUEST_RAM_BASE + 0x3000000, vm->memory/
