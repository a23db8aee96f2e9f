# tlb_refill.S: the entry is not written into the TLB
/^  tlbfill/d
