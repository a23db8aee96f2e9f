/* Zeroes what the linker script calls BSS; uses t0 and t1. For start code. */
  .macro clear_bss
  la.pcrel $t0, __bss_start
  la.pcrel $t1, __bss_end
1:
  bgeu $t0, $t1, 2f
  st.d $zero, $t0, 0
  addi.d $t0, $t0, 8
  b 1b
2:
  .endm
