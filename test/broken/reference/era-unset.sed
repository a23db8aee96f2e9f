# run_guest.S: ERA is not written before the entry
/csrwr \$t0, CSR_ERA$/d
