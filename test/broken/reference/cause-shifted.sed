# exit.c: the cause is taken from the wrong bits of ESTAT
s/exit_estat >> 16/exit_estat >> 15/
