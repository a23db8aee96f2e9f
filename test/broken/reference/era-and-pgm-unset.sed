# run_guest.S: neither ERA nor GSTAT.PGM is written before the entry
/csrwr \$t0, CSR_ERA$/d
/ori \$t0, \$t0, GSTAT_PGM/d
