# run_guest.S: PGDL is not written before the entry
/csrwr \$t0, CSR_PGDL/d
