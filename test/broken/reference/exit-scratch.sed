# run_guest.S: the exit takes its pointer from another scratch CSR than the entry
/^_guest_exit:/,$s/CSR_SAVE0/CSR_SAVE0 + 1/
