# tlb_refill.S: the refill handler uses the scratch register of the world switch
s/CSR_TLBRSAVE/CSR_SAVE0/
