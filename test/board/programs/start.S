/* Start of the programs that look at the board. They run in direct address mode on the first CPU. */
  .section .text.boot, "ax"
  .globl _start
_start:
  la.pcrel $sp, __stack_top
  bl program
  li.d $t0, 0x100e001c
  li.w $t1, 0x34
  st.b $t1, $t0, 0
1:
  b 1b
