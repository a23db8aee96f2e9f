# cpu.c: PWCL is not written
/CSR_PWCL/d
