# run_guest.S: the context pointer is kept in TLBRSAVE, which a refill overwrites
s/csrwr \$a0, CSR_SAVE0 /csrwr $a0, CSR_TLBRSAVE /;s/csrrd \$a0, CSR_SAVE0 /csrrd $a0, CSR_TLBRSAVE /;s/csrrd \$t0, CSR_SAVE0 /csrrd $t0, CSR_TLBRSAVE /
