# run_guest.S: the exit takes the GPA of a fault from BADI
s/csrrd \$t0, CSR_BADV  /csrrd $t0, CSR_BADI  /
