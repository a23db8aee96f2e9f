# tlb_refill.S: TLBRPRMD is cleared, and with it PGM
s/^  tlbfill/  csrwr $zero, CSR_TLBRPRMD\n&/
