/* The guest: one instruction. The others show that you go on behind it, and behind each exit. */
  .section .guest, "ax"
  .globl guest
guest:
  hvcl 1
  .globl guest_goes_on
guest_goes_on:
  nop
  hvcl 2
  hvcl 3
