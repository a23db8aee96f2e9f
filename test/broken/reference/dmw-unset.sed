# boot.S: the window of devices is not set up
0,/csrwr \$t0, CSR_DMW0/s/csrwr \$t0, CSR_DMW0/nop/
