# tlb_refill.S: t0 of the guest is not restored
/^  csrrd \$t0, CSR_TLBRSAVE/d
