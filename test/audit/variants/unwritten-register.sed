# run_guest.S: a guest register comes from below the stack, where nothing has ever been stored
s/^  guest_registers ld.d, \$a0.*/&\n  ld.d $t8, $a0, -2048\n  li.d $t8, 0x9000000000f00000\n  ld.d $t8, $t8, 0/
