/* Exceptions: codes, reports, vectors, nesting (Vol. 1, chapter 6). */
#include "conformance.h"
  PROGRAM "exceptions"
  FORGET
  # Manual: 2.2.10.1, 7.4.7, 7.4.9
  la.pcrel $s0, 1f
1:
  syscall 0x123
  NOTED $s1, trap_era
  sub.d $s1, $s1, $s0
  CHECK "ERA is the instruction itself", $s1, 0
  NOTED $s1, trap_badi
  CHECK "BADI is its word", $s1, 0x002b0123
  TRAPPED "syscall", SYS
  break 7
  TRAPPED "break", BRK
  .word 0xffffffff
  NOTED $s1, trap_badi
  TRAPPED "an undefined word", INE
  CHECK "BADI of an undefined word, with a sign", $s1, -1
  /* The handler runs with interrupts off and PLV 0; PRMD remembers. */
  li.w $t0, 4
  csrxchg $t0, $t0, CRMD
  syscall 0
  csrrd $s2, CRMD
  li.w $t1, 4
  csrxchg $zero, $t1, CRMD
  NOTED $s1, trap_prmd
  andi $s1, $s1, 7
  CHECK "PRMD keeps IE and PLV", $s1, 4
  NOTED $s1, trap_crmd
  andi $s1, $s1, 7
  CHECK "CRMD is PLV 0 with interrupts off in the handler", $s1, 0
  andi $s2, $s2, 4
  CHECK "ertn restores IE", $s2, 4
  /* User level. */
  # Manual: 2.1.3, 4.1
  FORGET
  la.pcrel $t0, 2f
  csrwr $t0, ERA
  li.w $t0, 3
  csrwr $t0, PRMD
  la.pcrel $s3, 3f
  la.pcrel $t1, resume
  ertn
2:
  csrrd $s2, CRMD
  la.pcrel $s4, trap_estat
  ld.d $s5, $s4, 0
  st.d $s3, $t1, 0
  syscall 0
3:
  bstrpick.d $s5, $s5, 21, 16
  CHECK "csrrd at PLV 3 raises IPE", $s5, IPE
  NOTED $s1, trap_prmd
  andi $s1, $s1, 3
  CHECK "PRMD.PPLV of a system call from PLV 3", $s1, 3
  FORGET
  /* A vector for each exception with ECFG.VS. */
  # Manual: 6.3.1
  csrrd $s2, EENTRY
  la.pcrel $t0, vectors
  csrwr $t0, EENTRY
  li.w $t0, 0x10000
  csrwr $t0, ECFG
  li.w $s1, 0
  syscall 0
  CHECK "with VS = 1 a system call enters at slot 11 of 8 bytes", $s1, SYS
  li.w $s1, 0
  break 0
  CHECK "and a break at slot 12", $s1, BRK
  csrwr $zero, ECFG
  csrwr $s2, EENTRY
  /* An exception in a handler overwrites ERA and PRMD. */
  csrrd $s2, EENTRY
  la.pcrel $t0, nesting
  csrwr $t0, EENTRY
  li.w $s1, 0
  syscall 0
4:
  csrwr $s2, EENTRY
  CHECK "an exception inside a handler nests", $s1, 2
  la.pcrel $t0, 4b
  sub.d $s3, $s3, $t0
  CHECK "and returns to where the handler says", $s3, 0
  /* Software interrupts. */
  # Manual: 6.1.1
  FORGET
  li.w $t0, 3
  csrwr $t0, ECFG
  li.w $t0, 2
  csrwr $t0, ESTAT
  li.w $t0, 4
  csrxchg $t0, $t0, CRMD
  nop
  li.w $t1, 4
  csrxchg $zero, $t1, CRMD
  NOTED $s1, trap_estat
  bstrpick.d $s1, $s1, 1, 0
  CHECK "software interrupt 1 is pending in the handler", $s1, 2
  TRAPPED "a software interrupt", 0
  csrwr $zero, ESTAT
  csrwr $zero, ECFG
  /* CSR 0x5's exception fields are the hardware's. */
  syscall 0
  li.d $t0, -1
  csrwr $t0, ESTAT
  csrrd $s1, ESTAT
  csrwr $zero, ESTAT
  bstrpick.d $s1, $s1, 21, 16
  CHECK "software cannot change ESTAT.Ecode", $s1, SYS
  FORGET
  END_PROGRAM

  .balign 4096
vectors:
  .rept 64
  .if (. - vectors) / 8 == SYS
  ori $s1, $zero, SYS
  b 5f
  .elseif (. - vectors) / 8 == BRK
  ori $s1, $zero, BRK
  b 5f
  .else
  nop
  nop
  .endif
  .endr
5:
  csrrd $t0, ERA
  addi.d $t0, $t0, 4
  csrwr $t0, ERA
  ertn

  .balign 4096
nesting:
  addi.d $s1, $s1, 1
  li.w $t0, 2
  beq $s1, $t0, 6f
  csrrd $s3, ERA
  break 0
6:
  addi.d $s3, $s3, 4
  move $t0, $s3
  csrwr $t0, ERA
  ertn
