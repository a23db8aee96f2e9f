# run_guest.S: s0 of the hypervisor comes from the slot of s1
s/^  host_registers ld.d, \$a0.*/&\n  ld.d $s0, $a0, CTX_HOST + 40/
