/* Where the second vCPU begins (the address in its mailbox 0). */
  .text
  .globl secondary_start
secondary_start:
  la.pcrel $sp, secondary_stack
  addi.d $sp, $sp, 2047
  addi.d $sp, $sp, 2033            /* 4080: the end of the page, less a frame */
  bl secondary_main
1:
  idle 0
  b 1b
