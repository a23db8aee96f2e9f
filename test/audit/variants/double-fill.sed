# tlb_refill.S: the entry of a stage-2 miss is filled twice
s/^  tlbfill .*/&\n  tlbfill/
