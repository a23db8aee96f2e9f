# run_guest.S: GSTAT.PGM is not set before the ertn
s/^  ori \$t0, \$t0, GSTAT_PGM$/  nop/
