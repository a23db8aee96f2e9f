# run_guest.S: the exit takes the instruction word from BADV
s/csrrd \$t0, CSR_BADI  /csrrd $t0, CSR_BADV  /
