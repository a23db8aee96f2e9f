/* Branches and jumps (Vol. 1, 2.2.4). */
#include "conformance.h"
  PROGRAM "branches"
  .macro TAKEN text, branch:vararg
  li.d $s3, 0
  \branch, 1f
  li.d $s3, 1
1:
  CHECK "\text", $s3, 0
  .endm
  .macro FALLS text, branch:vararg
  li.d $s3, 1
  \branch, 1f
  li.d $s3, 0
1:
  CHECK "\text", $s3, 0
  .endm
  li.d $s0, -1
  li.d $s1, 1
  TAKEN "beq of equal values", beq $s0, $s0
  FALLS "beq of different values", beq $s0, $s1
  TAKEN "bne", bne $s0, $s1
  TAKEN "blt is signed", blt $s0, $s1
  FALLS "bltu is unsigned", bltu $s0, $s1
  TAKEN "bge of equal values", bge $s1, $s1
  TAKEN "bgeu is unsigned", bgeu $s0, $s1
  TAKEN "beqz", beqz $zero
  FALLS "bnez", bnez $zero
  movgr2cf $fcc7, $s1
  TAKEN "bcnez", bcnez $fcc7
  FALLS "bceqz", bceqz $fcc7
  la.pcrel $s2, 2f
  jirl $s3, $s2, -4
1:
  b 3f
  b 4f
2:
  b 3f
3:
  li.d $s3, 0
4:
  la.pcrel $s4, 1b
  sub.d $s3, $s3, $s4
  CHECK "jirl links the next instruction", $s3, 0
  la.pcrel $s2, 5f
  jirl $s2, $s2, 0
8:
  b 9f
5:
  la.pcrel $s3, 8b
  sub.d $s2, $s2, $s3
9:
  CHECK "jirl may use one register for both", $s2, 0
  bl 6f
6:
  la.pcrel $s3, 6b
  sub.d $s3, $s3, $ra
  CHECK "bl links the next instruction", $s3, 0
  FORGET
  # Manual: 2.1.8, 6.3.2
  la.pcrel $s2, 7f
  la.pcrel $t0, resume
  st.d $s2, $t0, 0
  addi.d $s3, $s2, 2
  jirl $zero, $s3, 0
7:
  NOTED $s4, trap_era
  NOTED $s5, trap_badv
  sub.d $s4, $s4, $s3
  sub.d $s5, $s5, $s3
  TRAPPED "a jump to a misaligned address raises ADEF", ADE
  CHECK "ERA is the target", $s4, 0
  CHECK "BADV is the target", $s5, 0
  END_PROGRAM
