# run_guest.S: s0 of the hypervisor is neither saved nor restored
/op \$s0, .base, CTX_HOST/d
