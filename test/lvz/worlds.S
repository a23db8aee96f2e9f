/* Two guests, one address space each; code that changes under them (docs/lvz.md, "Address translation"). */
#include "lvz.h"
  .macro PLACED label
  la.pcrel $t0, \label
  la.pcrel $t1, shared
  sub.d $t0, $t0, $t1
  la.pcrel $t1, s2_offset
  st.d $t0, $t1, 0
  .endm
  /* Fills the entries of a guest: its code where it is, `shared` at `label`. */
  .macro WORLD gid, label
  SET s2_offset, 0
  GUEST nothing, \gid
  PLACED \label
  GUEST reads, \gid
  SET s2_offset, 0
  .endm
  PROGRAM "LVZ: two guests"
  HOST
  la.pcrel $s4, shared
  WORLD 1, first
  CHECK "[k] guest 1 sees its page", $s0, 0x1111
  WORLD 2, second
  CHECK "[k] guest 2 sees its own at the same address", $s0, 0x2222
  GUEST reads, 1
  CHECK "[k] guest 1 again, without a refill", $s0, 0x1111
  GUEST reads, 2
  CHECK "[k] a change of GID takes effect at once", $s0, 0x2222
  li.d $s0, 0x7777
  GUEST writes, 1
  GUEST reads, 2
  CHECK "[k] what guest 1 writes guest 2 does not see", $s0, 0x2222
  la.pcrel $t0, first
  ld.d $s1, $t0, 0
  CHECK "[k] it is in the page of guest 1", $s1, 0x7777
  la.pcrel $t0, shared
  ld.d $s1, $t0, 0
  CHECK "[k] the host sees its own memory", $s1, 0x9999
  /* The same address as code, in both worlds. */
  WORLD 3, code_a
  WORLD 4, code_b
  GUEST jumps, 3
  CHECK "[k] guest 3 runs its code", $s0, 0xa
  GUEST jumps, 4
  CHECK "[k] guest 4 runs its own at the same address", $s0, 0xb
  GUEST jumps, 3
  CHECK "[k] and guest 3 again its own", $s0, 0xa
  /* Code that the guest changes itself. */
  la.pcrel $t0, patch
  ld.wu $s5, $t0, 0
  GUEST patches, 3
  CHECK "[m] a guest's store into its code, behind ibar", $s0, 0xc
  GUEST jumps, 3
  CHECK "[m] stays", $s0, 0xc
  GUEST jumps, 4
  CHECK "[k] and is its own", $s0, 0xb
  /* Code that the host changes. */
  la.pcrel $t0, code_b
  st.w $s5, $t0, 0
  ibar 0
  GUEST jumps, 4
  CHECK "[m] a store of the host into a guest's code", $s0, 0xc
  /* Stage 2 maps running code elsewhere. */
  la.pcrel $s6, shared
  li.d $s1, 3 << 16
  invtlb 0x16, $s1, $s6
  PLACED code_d
  GUEST jumps, 3
  SET s2_offset, 0
  CHECK "[k] code whose GPA is mapped elsewhere", $s0, 0xd
  /* tlbwr over the entry in use. */
  SET_CSR GTLBC, USETGID | 3 << 16
  la.pcrel $t0, shared
  csrwr $t0, TLBEHI
  tlbsrch
  la.pcrel $t0, code_b
  ori $t0, $t0, V | D | CC
  csrwr $t0, TLBELO0
  la.pcrel $t0, code_b
  ori $t0, $t0, V | D | CC
  csrwr $t0, TLBELO1
  la.pcrel $t0, shared
  csrwr $t0, TLBEHI
  csrrd $t0, TLBIDX
  li.w $t1, 12
  bstrins.d $t0, $t1, 29, 24
  csrwr $t0, TLBIDX
  tlbwr
  SET_CSR GTLBC, USETGID
  GUEST jumps, 3
  CHECK "[k] tlbwr over the entry in use", $s0, 0xc
  /* LL bits. */
  GUEST links, 1
  ll.d $s1, $s4, 0
  syscall 0
  AGAIN 4
  CHECK "[k] the guest's LL bit outlives an exit and the host's own ll and ertn", $s0, 1
  GUEST links, 1
  li.w $t0, 2
  gcsrwr $t0, LLBCTL
  AGAIN 4
  CHECK "[k] gcsrwr LLBCTL.WCLLB clears it", $s0, 0
  GUEST links, 1
  gcsrrd $s1, LLBCTL
  andi $s1, $s1, 1
  CHECK "[k] ROLLB shows it", $s1, 1
  gcsrrd $t0, LLBCTL
  gcsrwr $t0, LLBCTL
  AGAIN 4
  CHECK "[h] writing back what was read does not disturb it", $s0, 1
  END_PROGRAM

  .balign 8192
nothing:
  DONE
reads:
  ld.d $s0, $s4, 0
  DONE
writes:
  st.d $s0, $s4, 0
  DONE
jumps:
  jirl $zero, $s4, 0
patches:
  st.w $s5, $s4, 0
  ibar 0
  jirl $zero, $s4, 0
patch:
  ori $s0, $zero, 0xc
links:
  ll.d $s0, $s4, 0
  hvcl 1
  sc.d $s0, $s4, 0
  DONE
  .data
  .balign 8192
shared: .quad 0x9999
  .balign 8192
first: .quad 0x1111
  .balign 8192
second: .quad 0x2222
  .balign 8192
code_a:
  ori $s0, $zero, 0xa
  DONE
  .balign 8192
code_b:
  ori $s0, $zero, 0xb
  DONE
  .balign 8192
code_d:
  ori $s0, $zero, 0xd
  DONE
  .balign 8192
