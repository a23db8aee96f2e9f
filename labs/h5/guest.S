/* The guest of all vCPUs: a0 is its letter, which it keeps in a CSR of its own. It counts in memory, which the vCPUs of a VM share. */
#include "csr.h"
#define COUNTER 0x300000

  .section .guest, "ax"
  .globl guest
guest:
  csrwr $a0, CSR_SAVE0
  li.w $s0, COUNTER
  .globl guest_turn
guest_turn:
  ld.d $a1, $s0, 0
  addi.d $a1, $a1, 1
  st.d $a1, $s0, 0
  csrrd $a0, CSR_SAVE0
  hvcl 1
  b guest_turn
