# run_guest.S: the exit overwrites tp before it is saved
/^_guest_exit:/,$s/^  csrwr \$a0, CSR_SAVE0 .*/&\n  csrrd $tp, CSR_ERA/
