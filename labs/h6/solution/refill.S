/* The host's refill: a guest-physical address that no entry of stage 2 has. It runs in direct address mode, at a physical address. */
#include "lab.h"

  .text
  .balign 4096
  .globl refill
refill:
  csrwr $t0, CSR_TLBRSAVE
  csrrd $t0, CSR_PGD              /* the table of the VM: PGDL */
  ldpte $t0, 0                    /* the entry has two pages: the even one */
  ldpte $t0, 1                    /* and the odd one */
  tlbfill
  csrrd $t0, CSR_TLBRSAVE
  ertn
