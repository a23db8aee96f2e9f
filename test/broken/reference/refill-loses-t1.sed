# tlb_refill.S: t1 of the guest is overwritten
s/^  tlbfill/  csrrd $t1, CSR_TLBRBADV\n&/
