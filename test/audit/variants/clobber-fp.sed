# run_guest.S: the exit path enables floating point and changes a preserved register
s/^  csrrd \$t0, CSR_ERA .*/  li.w $t0, 1\n  csrwr $t0, CSR_EUEN\n  .word 0x0114a838\n&/
