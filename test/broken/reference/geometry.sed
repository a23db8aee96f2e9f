# cpu.c: the second level begins a bit too high
s/21 << 10/22 << 10/
