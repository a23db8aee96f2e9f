# run_guest.S: GTLBC.TGID keeps the guest's number after an exit
/csrxchg \$zero, \$t1, CSR_GTLBC/d
