# sched.c: between the choice of a vCPU and its loading the lock is not held
s/^      vcpu_load(v);/      hv_unlock();\n      hv_lock();\n&/
