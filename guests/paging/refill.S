/* The guest's own TLB refill handler. It runs in the guest, in its direct address mode; lddir and ldpte read guest
 * physical memory, which stage 2 translates. */
#include "../../src/hv/csr.h"

  .text
  .balign 4096
  .globl guest_refill
guest_refill:
  csrwr $t0, CSR_TLBRSAVE
  csrrd $t0, CSR_PGD
  lddir $t0, $t0, 2
  lddir $t0, $t0, 1
  ldpte $t0, 0
  ldpte $t0, 1
  tlbfill
  csrrd $t0, CSR_TLBRSAVE
  ertn
