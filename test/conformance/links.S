/* LL/SC when another CPU stores (Vol. 1, 2.2.7.4): the store breaks the link, whatever value it stores. Needs two CPUs. */
#include "conformance.h"
#define IPI_SEND 0x1040
#define MAIL_SEND 0x1048
#define BLOCKING 0x80000000
#define CPU1 0x10000

  /* CPU 1 executes the instructions behind a label, up to `b done`. */
  .macro OTHER label
  la.pcrel $t0, \label
  la.pcrel $t1, order
  st.d $t0, $t1, 0
1: ld.d $t0, $t1, 0
  bnez $t0, 1b
  .endm

  /* Between `ll.d` and `sc.d` the other CPU does something. `holds`: 1 when the link is still there. */
  .macro LINKED text, label, holds
  li.w $s2, 5
  st.d $s2, $s0, 0
  ll.d $s3, $s0, 0
  OTHER \label
  csrrd $s4, LLBCTL
  andi $s4, $s4, 1
  CHECK "\text: LLBCTL.ROLLB", $s4, \holds
  li.w $s3, 77
  sc.d $s3, $s0, 0
  CHECK "\text: sc.d", $s3, \holds
  .endm

  PROGRAM "links and other CPUs"
  la.pcrel $s0, place
  la.pcrel $s1, order
  /* The start address goes into mailbox 0, half by half, and an IPI wakes the CPU; again, when it did not wait for them yet. */
  li.w $t4, 2000
1:
  la.pcrel $t0, other_cpu
  slli.d $t1, $t0, 32
  li.d $t2, BLOCKING | CPU1
  or $t1, $t1, $t2
  li.w $t3, MAIL_SEND
  iocsrwr.d $t1, $t3
  srli.d $t1, $t0, 32
  slli.d $t1, $t1, 32
  ori $t2, $t2, 4
  or $t1, $t1, $t2
  iocsrwr.d $t1, $t3
  li.d $t1, BLOCKING | CPU1
  li.w $t3, IPI_SEND
  iocsrwr.w $t1, $t3
  li.d $t0, 20000
2:
  ld.d $s2, $s1, 64
  bnez $s2, 3f
  addi.d $t0, $t0, -1
  bnez $t0, 2b
  addi.d $t4, $t4, -1
  bnez $t4, 1b
3:
  NEEDS $s2, "the machine has one CPU"
  # Manual: 2.2.7.4, 7.4.17
  LINKED "another CPU stores another value, then the old one", aba, 0
  ld.d $s3, $s0, 0
  CHECK "the failing sc.d stores nothing", $s3, 5
  LINKED "another CPU stores the same value", same, 0
  LINKED "another CPU stores a byte of it", byte, 0
  LINKED "another CPU stores to the same cache line", line, 0
  LINKED "another CPU stores a vector that reaches into the line", vector, 0
  LINKED "another CPU stores to the next cache line", next_line, 1
  LINKED "another CPU stores to the line in front", front, 1
  LINKED "another CPU loads it", load, 1
  LINKED "another CPU adds 0 to it", add, 0
  LINKED "another CPU links it", link, 1
  LINKED "another CPU's sc.d fails", failing, 1
  LINKED "another CPU's sc.d succeeds", succeeding, 0
  CPUCFG $s5, 2, 30, 30
  beqz $s5, 3f
  # Manual: 2.2.7.5
  ll.d $s2, $s0, 0
  OTHER upper
  li.w $s3, 1
  li.w $s4, 2
  .word 0x38570000 | 27 << 10 | 23 << 5 | 26
  CHECK "sc.q after another CPU's store to the upper half", $s3, 0
3:
  FORGET
  END_PROGRAM

  /* CPU 1. */
  .balign 4096
other_cpu:
  li.w $t0, 7
  csrwr $t0, EUEN
  la.pcrel $s0, place
  la.pcrel $s1, order
  li.w $s2, 1
  st.d $s2, $s1, 64
done:
  dbar 0
  st.d $zero, $s1, 0
1:
  ld.d $t0, $s1, 0
  beqz $t0, 1b
  jr $t0
aba:
  li.w $t1, 6
  st.d $t1, $s0, 0
  dbar 0
same:
  li.w $t1, 5
  st.d $t1, $s0, 0
  b done
byte:
  st.b $zero, $s0, 7
  b done
line:
  st.w $zero, $s0, 60
  b done
vector:
  vst $vr0, $s0, -8
  b done
next_line:
  st.d $zero, $s0, 64
  b done
front:
  st.d $zero, $s0, -8
  b done
load:
  ld.d $t1, $s0, 0
  b done
add:
  amadd.d $zero, $zero, $s0
  b done
link:
  ll.d $t1, $s0, 0
  b done
failing:
  li.w $t1, 2
  csrwr $t1, LLBCTL
  sc.d $t1, $s0, 0
  b done
succeeding:
  ll.d $t1, $s0, 0
  sc.d $t1, $s0, 0
  b done
upper:
  st.d $zero, $s0, 8
  b done

  .data
  .balign 4096
  .space 64
place: .space 128
  .balign 4096
order: .space 128
