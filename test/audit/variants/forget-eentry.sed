# run_guest.S: EENTRY stays at the exit vector
/la.pcrel \$t0, _host_vector/d
