/* The host's refill: a guest-physical address that no entry of stage 2 has. It runs in direct address mode, at a physical address. */
#include "lab.h"

  .text
  .balign 4096
  .globl refill
refill:
  csrwr $t0, CSR_TLBRSAVE
  /* HOLE 1: the root of the VM's table is in PGD (TLBRBADV is in the lower half, so it is PGDL). ldpte loads the even page and
   * the odd page from it; then tlbfill. t0 is free, nothing else is. */
  csrrd $t0, CSR_TLBRSAVE
  ertn
