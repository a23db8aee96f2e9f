/* Integer arithmetic and logic (Vol. 1, 2.2.1 and 2.2.2). */
#include "conformance.h"
  PROGRAM "integer arithmetic and logic"
  li.d $s0, 0x7fffffff
  addi.w $s1, $s0, 1
  CHECK "addi.w sign-extends its result", $s1, -0x80000000
  addi.d $s1, $s0, 1
  CHECK "addi.d does not wrap at 32 bits", $s1, 0x80000000
  li.d $s0, 0x123456789abcdef0
  add.w $s1, $s0, $zero
  CHECK "add.w takes the low words", $s1, 0xffffffff9abcdef0
  sub.w $s1, $zero, $s0
  CHECK "sub.w", $s1, 0x65432110
  li.d $s0, -1
  slt $s1, $s0, $zero
  CHECK "slt is signed", $s1, 1
  sltu $s1, $s0, $zero
  CHECK "sltu is unsigned", $s1, 0
  sltui $s1, $s0, -1
  CHECK "sltui compares with the sign-extended immediate", $s1, 0
  li.d $s2, 0x8000000000000000
  mulh.d $s1, $s2, $s2
  CHECK "mulh.d of the least number squared", $s1, 0x4000000000000000
  mulh.du $s1, $s0, $s0
  CHECK "mulh.du of the greatest number squared", $s1, 0xfffffffffffffffe
  mulw.d.w $s1, $s0, $s0
  CHECK "mulw.d.w", $s1, 1
  mulw.d.wu $s1, $s0, $s0
  CHECK "mulw.d.wu", $s1, 0xfffffffe00000001
  mulh.w $s1, $s0, $s0
  CHECK "mulh.w", $s1, 0
  mulh.wu $s1, $s0, $s0
  CHECK "mulh.wu sign-extends", $s1, -2
  li.d $s3, 7
  li.d $s4, -2
  div.d $s1, $s3, $s4
  CHECK "div.d truncates toward zero", $s1, -3
  mod.d $s1, $s3, $s4
  CHECK "mod.d has the sign of the dividend", $s1, 1
  div.wu $s1, $s4, $s3
  CHECK "div.wu", $s1, 0x24924924
  div.d $s1, $s2, $s0
  NOT_TRAPPED "the overflowing quotient does not trap"
  div.d $s1, $s3, $zero
  NOT_TRAPPED "division by zero does not trap"
  lu12i.w $s1, -0x80000
  CHECK "lu12i.w sign-extends", $s1, -0x80000000
  li.d $s1, 0x80000001
  lu32i.d $s1, 0x12345
  CHECK "lu32i.d replaces the upper word", $s1, 0x0001234580000001
  lu52i.d $s1, $s1, 0x7ff
  CHECK "lu52i.d replaces the top twelve bits", $s1, 0x7ff1234580000001
  addu16i.d $s1, $zero, -1
  CHECK "addu16i.d", $s1, -0x10000
  alsl.w $s1, $s0, $zero, 4
  CHECK "alsl.w", $s1, -16
  alsl.wu $s1, $s0, $zero, 4
  CHECK "alsl.wu zero-extends", $s1, 0xfffffff0
  alsl.d $s1, $s3, $s3, 1
  CHECK "alsl.d", $s1, 21
  sra.w $s1, $s0, $s0
  CHECK "sra.w takes the amount modulo 32", $s1, -1
  li.d $s2, 0x80000000
  srai.w $s1, $s2, 31
  CHECK "srai.w", $s1, -1
  srl.w $s1, $s2, $s3
  CHECK "srl.w", $s1, 0x01000000
  rotri.w $s1, $s3, 1
  CHECK "rotri.w sign-extends", $s1, 0xffffffff80000003
  rotri.d $s1, $s3, 1
  CHECK "rotri.d", $s1, 0x8000000000000003
  masknez $s1, $s3, $zero
  CHECK "masknez keeps where the condition is 0", $s1, 7
  maskeqz $s1, $s3, $zero
  CHECK "maskeqz clears where the condition is 0", $s1, 0
  orn $s1, $zero, $s3
  CHECK "orn", $s1, ~7
  andn $s1, $s0, $s3
  CHECK "andn", $s1, ~7
  nor $s1, $s3, $zero
  CHECK "nor", $s1, ~7
  # Manual: 2.1.2.1
  addi.d $zero, $s3, 1
  CHECK "r0 stays 0", $zero, 0
1:
  pcaddi $s1, 0
  la.pcrel $s2, 1b
  sub.d $s1, $s1, $s2
  CHECK "pcaddi adds to its own address", $s1, 0
1:
  pcalau12i $s1, 0
  la.pcrel $s2, 1b
  bstrins.d $s2, $zero, 11, 0
  sub.d $s1, $s1, $s2
  CHECK "pcalau12i clears the low bits", $s1, 0
  # Manual: 2.2.1.7
1:
  pcaddu12i $s1, -1
  la.pcrel $s2, 1b
  sub.d $s1, $s1, $s2
  CHECK "pcaddu12i adds 4 KiB steps, and keeps the low bits", $s1, -0x1000
1:
  pcaddu18i $s1, 3
  la.pcrel $s2, 1b
  sub.d $s1, $s1, $s2
  CHECK "pcaddu18i adds 256 KiB steps", $s1, 0xc0000
1:
  pcaddi $s1, -0x80000
  la.pcrel $s2, 1b
  sub.d $s1, $s1, $s2
  CHECK "pcaddi goes 2 MiB back", $s1, -0x200000
  li.d $s0, 0x31
  crc.w.b.w $s1, $s0, $zero
  CHECK "crc.w.b.w, IEEE 802.3", $s1, 0x51de003a
  crcc.w.b.w $s1, $s0, $zero
  CHECK "crcc.w.b.w, Castagnoli", $s1, 0xffffffffc288cab2
  END_PROGRAM
