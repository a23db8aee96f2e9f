# vm.c: guest RAM is mapped without V
s/PTE_GUEST_RAM/PTE_GUEST_RAM \& ~PTE_V/
