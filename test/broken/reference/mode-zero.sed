# vcpu.c: CRMD of a new vCPU is 0
s/= CRMD_DA;/= 0;/
