/* Exceptions of the hypervisor itself. It runs with interrupts off, so every exception here is a defect of the hypervisor. */
#include "csr.h"

  .text
  .balign 4096
  .globl _host_vector
_host_vector:
  csrrd $a0, CSR_ESTAT
  csrrd $a1, CSR_ERA
  csrrd $a2, CSR_BADV
  la.pcrel $sp, __stack_top
  b host_exception
