# run_guest.S: sp of the hypervisor comes from the slot of fp
s/^  host_registers ld.d, \$a0.*/&\n  ld.d $sp, $a0, CTX_HOST + 24/
