/* General exception vector: saves what C may change, calls guest_exception(ESTAT, ERA, BADV). */
#include "../../src/hv/csr.h"

  .text
  .macro caller_saved op
  \op $ra, $sp, 0
  \op $a0, $sp, 8
  \op $a1, $sp, 16
  \op $a2, $sp, 24
  \op $a3, $sp, 32
  \op $a4, $sp, 40
  \op $a5, $sp, 48
  \op $a6, $sp, 56
  \op $a7, $sp, 64
  \op $t0, $sp, 72
  \op $t1, $sp, 80
  \op $t2, $sp, 88
  \op $t3, $sp, 96
  \op $t4, $sp, 104
  \op $t5, $sp, 112
  \op $t6, $sp, 120
  \op $t7, $sp, 128
  \op $t8, $sp, 136
  .endm

  .balign 4096
  .globl guest_vector
guest_vector:
  addi.d $sp, $sp, -144
  caller_saved st.d
  csrrd $a0, CSR_ESTAT
  csrrd $a1, CSR_ERA
  csrrd $a2, CSR_BADV
  bl guest_exception
  caller_saved ld.d
  addi.d $sp, $sp, 144
  ertn
