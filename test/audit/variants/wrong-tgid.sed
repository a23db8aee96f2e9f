# run_guest.S: GTLBC.TGID is not set before a guest is entered
/csrxchg \$t0, \$t1, CSR_GTLBC/d
