/* A stage-2 miss: the host's refill handler takes both pages of the entry from the table at PGDL. */
#include "lab.h"

  .text
  .balign 4096
  .globl refill
refill:
  csrwr $t0, CSR_TLBRSAVE
  csrrd $t0, CSR_PGD
  ldpte $t0, 0
  ldpte $t0, 1
  tlbfill
  csrrd $t0, CSR_TLBRSAVE
  ertn
