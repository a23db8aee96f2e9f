# run_guest.S: the PC of the exit is not saved
/st.d \$t0, \$a0, CTX_PC/d
