# tlb_refill.S: tlbwr instead of tlbfill
s/^  tlbfill/  tlbwr/
