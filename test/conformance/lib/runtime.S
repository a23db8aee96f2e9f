/* Start, console, checks and exception handlers of the conformance programs. Everything runs in direct address mode. */
#include "conformance.h"

  .section .text.boot, "ax"
  .globl _start
_start:
  la.pcrel $sp, __stack_top
  la.pcrel $t0, trap_entry
  csrwr $t0, EENTRY
  la.pcrel $t0, refill_entry
  csrwr $t0, TLBRENTRY
  li.w $t0, 7
  csrwr $t0, EUEN
  bl program
  .globl program_end
program_end:
  /* Whatever mode the program was in, the board's registers are at their addresses again. */
  li.w $t0, 8
  li.w $t1, 0x1f
  csrxchg $t0, $t1, CRMD
  la.pcrel $t0, failed
  ld.d $t0, $t0, 0
  la.pcrel $a0, all_text
  beqz $t0, 1f
  la.pcrel $a0, some_text
1:
  bl print
  li.d $t0, 0x100e001c
  li.w $t1, 0x34
  st.b $t1, $t0, 0
2: b 2b

/* print(a0 = text) */
  .globl print
print:
  li.d $t0, 0x1fe001e0
1:
  ld.bu $t1, $a0, 0
  beqz $t1, 3f
2:
  ld.bu $t2, $t0, 5
  andi $t2, $t2, 0x20
  beqz $t2, 2b
  st.b $t1, $t0, 0
  addi.d $a0, $a0, 1
  b 1b
3:
  ret

/* print_hex(a0 = value) */
print_hex:
  li.d $t0, 0x1fe001e0
  li.w $t3, 60
1:
  srl.d $t1, $a0, $t3
  andi $t1, $t1, 15
  sltui $t2, $t1, 10
  addi.d $t4, $t1, 87
  addi.d $t1, $t1, 48
  maskeqz $t1, $t1, $t2
  masknez $t4, $t4, $t2
  or $t1, $t1, $t4
2:
  ld.bu $t2, $t0, 5
  andi $t2, $t2, 0x20
  beqz $t2, 2b
  st.b $t1, $t0, 0
  addi.d $t3, $t3, -4
  bge $t3, $zero, 1b
  ret

/* check(a0 = got, a1 = wanted, a2 = text) */
  .globl check
check:
  addi.d $sp, $sp, -32
  st.d $ra, $sp, 0
  st.d $a0, $sp, 8
  st.d $a1, $sp, 16
  st.d $a2, $sp, 24
  beq $a0, $a1, 1f
  la.pcrel $t0, failed
  li.w $t1, 1
  st.d $t1, $t0, 0
  la.pcrel $a0, not_text
  bl print
1:
  la.pcrel $a0, ok_text
  bl print
  ld.d $a0, $sp, 24
  bl print
  ld.d $t0, $sp, 8
  ld.d $t1, $sp, 16
  beq $t0, $t1, 2f
  la.pcrel $a0, got_text
  bl print
  ld.d $a0, $sp, 8
  bl print_hex
  la.pcrel $a0, want_text
  bl print
  ld.d $a0, $sp, 16
  bl print_hex
2:
  la.pcrel $a0, newline
  bl print
  ld.d $ra, $sp, 0
  addi.d $sp, $sp, 32
  ret

/* Notes the exception; goes on at `resume`, once, or behind the instruction. Interrupts are masked on return. */
  .balign 4096
  .globl trap_entry
trap_entry:
  csrwr $t0, SAVE0
  csrwr $t1, SAVE1
  NOTE ESTAT, trap_estat
  NOTE ERA, trap_era
  NOTE BADV, trap_badv
  NOTE BADI, trap_badi
  NOTE PRMD, trap_prmd
  NOTE CRMD, trap_crmd
  COUNT trap_count
  /* Interrupts: back to the same place, masked. */
  csrrd $t1, ESTAT
  bstrpick.d $t1, $t1, 21, 16
  bnez $t1, 1f
  csrrd $t1, PRMD
  bstrins.d $t1, $zero, 2, 2
  csrwr $t1, PRMD
  b 3f
1:
  la.pcrel $t0, resume
  ld.d $t1, $t0, 0
  beqz $t1, 2f
  st.d $zero, $t0, 0
  csrwr $t1, ERA
  /* A resumed program is back in PLV0. */
  csrrd $t1, PRMD
  bstrins.d $t1, $zero, 1, 0
  csrwr $t1, PRMD
  b 3f
2:
  csrrd $t1, ERA
  addi.d $t1, $t1, 4
  csrwr $t1, ERA
3:
  csrrd $t0, SAVE0
  csrrd $t1, SAVE1
  ertn

/* Notes the miss and fills the TLB from refill_lo0 and refill_lo1, with the page size of refill_ps. */
  .balign 4096
  .globl refill_entry
refill_entry:
  csrwr $t0, TLBRSAVE
  csrwr $t1, SAVE2
  COUNT refill_count
  NOTE TLBRBADV, refill_badv
  GIVE 0x8c, refill_lo0
  GIVE 0x8d, refill_lo1
  la.pcrel $t0, refill_ps
  ld.d $t1, $t0, 0
  csrrd $t0, TLBREHI
  bstrins.d $t0, $t1, 5, 0
  csrwr $t0, TLBREHI
  tlbfill
  csrrd $t1, SAVE2
  csrrd $t0, TLBRSAVE
  ertn

  .section .rodata
not_text: .asciz "not "
ok_text: .asciz "ok - "
got_text: .asciz " (got "
want_text: .asciz ", wanted "
newline: .asciz "\n"
all_text: .asciz "# all checks passed\n"
some_text: .asciz "# some checks failed\n"

  .data
  .balign 8
failed: .quad 0
  .globl trap_estat, trap_era, trap_badv, trap_badi, trap_prmd, trap_crmd, trap_count, resume
trap_estat: .quad 0
trap_era: .quad 0
trap_badv: .quad 0
trap_badi: .quad 0
trap_prmd: .quad 0
trap_crmd: .quad 0
trap_count: .quad 0
resume: .quad 0
  .globl refill_count, refill_badv, refill_lo0, refill_lo1, refill_ps
refill_count: .quad 0
refill_badv: .quad 0
refill_lo0: .quad 0
refill_lo1: .quad 0
refill_ps: .quad 12
