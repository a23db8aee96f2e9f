# run_guest.S: PRMD.PIE is 0 when a guest is entered
s/li.w \$t0, PRMD_PIE/li.w $t0, 0/
