# run_guest.S: the exit vector is aligned to 64 bytes only
s/^  \.balign 4096/  .balign 4096\n  .fill 16, 4, 0x002a0000/
