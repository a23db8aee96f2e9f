/*
 * Macros of the LVZ conformance programs, on top of those of ../conformance. The host runs at its physical addresses through
 * a window of segment 0; guests see the same addresses through stage 2, moved by s2_offset. Host and guest share the general
 * registers: results of guest code are in s registers.
 *
 * Every check names its evidence: [m] the manual, [k] Linux KVM on hardware, [h] hvisor on hardware, [i] inferred, [c] a
 * choice of docs/lvz.md.
 */
#include "conformance.h"

#define GTLBC 0x15
#define TRGP 0x16
#define GSTAT 0x50
#define GCFG 0x51
#define GINTC 0x52
#define GCNTC 0x53
#define CNTC 0x43
#define TLBRPRMD 0x8f

#define GSPR 0x16
#define HVC 0x17
#define TLBR 0x3f

#define PGM 2
#define USETGID 0x1000
#define TOTI 0x2000

/* Bits of a TLB entry. */
#define V 1
#define D 2
#define CC 0x10
#define G 0x40
#define NR 0x2000000000000000
#define NX 0x4000000000000000

  /* The host gets into the state in which it can enter guests. Once, at the start. */
  .macro HOST
  CPUCFG $s0, 2, 10, 10
  NEEDS $s0, "no LVZ (CPUCFG 2)"
  bl host_setup
  .endm

  /* Enters GID `gid` at `label` and goes on here after the exit. */
  .macro GUEST label, gid=1, prmd=0
  la.pcrel $a0, \label
  li.w $a1, \gid
  li.w $a2, \prmd
  bl guest_enter
  .endm

  /* Enters again: the guest of before, `skip` bytes behind the instruction that left it. */
  .macro AGAIN skip=0
  NOTED $a0, exit_era
  addi.d $a0, $a0, \skip
  NOTED $a1, exit_gid
  move $a2, $zero
  bl guest_enter
  .endm

  /* The cause of the last exit. */
  .macro EXITED text, ecode, esub=0
  NOTED $a0, exit_estat
  bstrpick.d $a0, $a0, 30, 16
  li.d $a1, (\ecode) | (\esub) << 6
  REPORT "\text"
  .endm

  /* A noted register of the last exit is the address of `label`. */
  .macro EXIT_IS text, what, label
  NOTED $a0, \what
  la.pcrel $a1, \label
  REPORT "\text"
  .endm

  /* A noted value of the last exit. */
  .macro EXIT_VALUE text, what, value
  NOTED $a0, \what
  li.d $a1, \value
  REPORT "\text"
  .endm

  /* BADI is the word at `label`. */
  .macro EXIT_WORD text, label
  NOTED $a0, exit_badi
  la.pcrel $a1, \label
  ld.wu $a1, $a1, 0
  REPORT "\text"
  .endm

  /* A guest CSR, and writing it. */
  .macro GCSR_IS text, csr, value
  gcsrrd $s7, \csr
  CHECK "\text", $s7, \value
  .endm
  .macro SET_GCSR csr, value
  li.d $t0, \value
  gcsrwr $t0, \csr
  .endm
  .macro SET_CSR csr, value
  li.d $t0, \value
  csrwr $t0, \csr
  .endm

  /* A variable of lib/guest.S. */
  .macro SET what, value
  li.d $t0, \value
  la.pcrel $t1, \what
  st.d $t0, $t1, 0
  .endm

  /* The guest comes back to the host, whatever it has done. */
  .macro DONE
  hvcl 0x7f
  .endm
