# tlb_refill.S: a level of the table is left out
/lddir \$t0, \$t0, 1 /d
