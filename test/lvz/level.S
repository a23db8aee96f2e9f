/* A guest at each privilege level (docs/lvz.md, "What exits and what does not", "Address translation"). */
#include "lvz.h"
#define VA 0xffffffffc0000000
  /* At PLV `level` of the guest, a load from a page of PLV `k`. */
  .macro PAGE level, k, ecode
  SET g_bits, V | D | CC | \k << 2
  SET_GCSR ESTAT, 0
  SET_GCSR CRMD, 0x10 | \level
  li.d $t0, 1 << 16
  invtlb 0x13, $t0, $zero
  GUEST loads
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 21, 16
  CHECK "[m] PLV \level: a load from a page of PLV \k", $s1, \ecode
  .endm
  /* The same, and a privileged instruction: what the guest's vector sees. */
  .macro LEVEL level, csr, page0, page1, page2, page3
  SET_GCSR ESTAT, 0
  SET_GCSR CRMD, 0x10 | \level
  GUEST privileged
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 21, 16
  CHECK "[k] PLV \level: a CSR of the bank", $s1, \csr
  PAGE \level, 0, \page0
  PAGE \level, 1, \page1
  PAGE \level, 2, \page2
  PAGE \level, 3, \page3
  .endm
  PROGRAM "LVZ: privilege levels of a guest"
  HOST
  la.pcrel $t0, guest_vector
  gcsrwr $t0, EENTRY
  la.pcrel $t0, guest_refill
  gcsrwr $t0, TLBRENTRY
  SET_GCSR DMW0, 0xf
  SET_GCSR STLBPS, 12
  SET_GCSR ASID, 0
  li.d $s4, VA
  LEVEL 0, SYS, SYS, SYS, SYS, SYS
  LEVEL 1, IPE, PPI, SYS, SYS, SYS
  LEVEL 2, IPE, PPI, PPI, SYS, SYS
  LEVEL 3, IPE, PPI, PPI, PPI, SYS
  END_PROGRAM

  .balign 8192
privileged:
  csrrd $t0, EENTRY
  syscall 0
loads:
  ld.d $s0, $s4, 8
  syscall 0
  /* The guest's vector: back to the host with the cause in G.ESTAT. */
  .balign 4096
guest_vector:
  DONE
  .balign 8192
guest_refill:
  csrwr $t0, TLBRSAVE
  la.pcrel $t0, g_bits
  ld.d $t0, $t0, 0
  csrwr $t1, SAVE2
  la.pcrel $t1, page
  or $t0, $t0, $t1
  csrwr $t0, 0x8c
  csrrd $t0, 0x8c
  csrwr $t0, 0x8d
  csrrd $t1, SAVE2
  csrrd $t0, TLBREHI
  bstrins.d $t0, $zero, 5, 0
  ori $t0, $t0, 12
  csrwr $t0, TLBREHI
  tlbfill
  csrrd $t0, TLBRSAVE
  ertn
  .balign 8
g_bits: .quad 0
  .data
  .balign 8192
page: .space 8192
