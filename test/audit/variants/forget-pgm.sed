# run_guest.S: GSTAT.PGM stays set after an exit
/csrxchg \$zero, \$t1, CSR_GSTAT/d
