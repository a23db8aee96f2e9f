# sched.c: a CPU says that it is idle when it has given the lock away
/^  cpu->idle = 1;/d
s/^  __asm__ volatile("idle 0" ::: "memory");/  cpu->idle = 1;\n&/
