# vcpu.c: a new vCPU begins at a wrong PC
s/entry);$/entry + 0x800000);/
