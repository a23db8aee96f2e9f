# stage2.c: a block of 2 MiB is mapped without H
s/hpa | flags | PTE_HUGE;/hpa | flags;/
