/* The world switch.
 *
 *   void _run_guest(struct vcpu *vcpu)   enters the guest; returns after the next exit
 *   _guest_exit                          where the hardware arrives at that exit
 *
 * Only one vCPU at a time owns the guest CSR bank. The bank is exchanged when the owner changes, not at every exit:
 * guest CSRs are separate registers, so they keep their values while the hypervisor runs. */
#include "context.h"
#include "csr.h"

  .text

/* Host registers that a function must preserve. The hypervisor does not use $r21. */
  .macro host_registers op, base
  \op $ra, \base, CTX_HOST + 0
  \op $tp, \base, CTX_HOST + 8
  \op $sp, \base, CTX_HOST + 16
  \op $fp, \base, CTX_HOST + 24
  \op $s0, \base, CTX_HOST + 32
  \op $s1, \base, CTX_HOST + 40
  \op $s2, \base, CTX_HOST + 48
  \op $s3, \base, CTX_HOST + 56
  \op $s4, \base, CTX_HOST + 64
  \op $s5, \base, CTX_HOST + 72
  \op $s6, \base, CTX_HOST + 80
  \op $s7, \base, CTX_HOST + 88
  \op $s8, \base, CTX_HOST + 96
  .endm

/* All guest registers except r0 (always 0) and r4 = a0 (it addresses the context until the end). */
  .macro guest_registers op, base
  \op $ra, \base, CTX_GPR + 8 * 1
  \op $tp, \base, CTX_GPR + 8 * 2
  \op $sp, \base, CTX_GPR + 8 * 3
  \op $a1, \base, CTX_GPR + 8 * 5
  \op $a2, \base, CTX_GPR + 8 * 6
  \op $a3, \base, CTX_GPR + 8 * 7
  \op $a4, \base, CTX_GPR + 8 * 8
  \op $a5, \base, CTX_GPR + 8 * 9
  \op $a6, \base, CTX_GPR + 8 * 10
  \op $a7, \base, CTX_GPR + 8 * 11
  \op $t0, \base, CTX_GPR + 8 * 12
  \op $t1, \base, CTX_GPR + 8 * 13
  \op $t2, \base, CTX_GPR + 8 * 14
  \op $t3, \base, CTX_GPR + 8 * 15
  \op $t4, \base, CTX_GPR + 8 * 16
  \op $t5, \base, CTX_GPR + 8 * 17
  \op $t6, \base, CTX_GPR + 8 * 18
  \op $t7, \base, CTX_GPR + 8 * 19
  \op $t8, \base, CTX_GPR + 8 * 20
  \op $r21, \base, CTX_GPR + 8 * 21
  \op $fp, \base, CTX_GPR + 8 * 22
  \op $s0, \base, CTX_GPR + 8 * 23
  \op $s1, \base, CTX_GPR + 8 * 24
  \op $s2, \base, CTX_GPR + 8 * 25
  \op $s3, \base, CTX_GPR + 8 * 26
  \op $s4, \base, CTX_GPR + 8 * 27
  \op $s5, \base, CTX_GPR + 8 * 28
  \op $s6, \base, CTX_GPR + 8 * 29
  \op $s7, \base, CTX_GPR + 8 * 30
  \op $s8, \base, CTX_GPR + 8 * 31
  .endm

/* void _run_guest(struct vcpu *vcpu) */
  .globl _run_guest
  .type _run_guest, @function
_run_guest:
  host_registers st.d, $a0        /* what the caller expects back lives in the context while the guest runs */
  csrwr $a0, CSR_SAVE0            /* the exit finds the context here (a0 is clobbered with the old SAVE0) */
  csrrd $a0, CSR_SAVE0            /* so read it again */

  la.pcrel $t0, _guest_exit       /* exits arrive at EENTRY (ECFG.VS = 0: one vector for all causes) */
  csrwr $t0, CSR_EENTRY
  ld.d $t0, $a0, CTX_PC           /* the guest's PC: ertn continues at ERA */
  csrwr $t0, CSR_ERA
  ld.d $t0, $a0, CTX_STAGE2_ROOT  /* the refill handler walks PGDL: the VM's stage-2 table */
  csrwr $t0, CSR_PGDL

  ld.d $t0, $a0, CTX_GID          /* entries that the refill handler fills belong to this guest */
  slli.d $t0, $t0, GTLBC_TGID_SHIFT
  li.w $t1, 0xff << GTLBC_TGID_SHIFT
  csrxchg $t0, $t1, CSR_GTLBC
  ld.d $t0, $a0, CTX_GID          /* GSTAT.GID: whose translations are used; GSTAT.PGM: the next ertn enters a guest */
  slli.d $t0, $t0, GSTAT_GID_SHIFT
  ori $t0, $t0, GSTAT_PGM
  li.w $t1, (0xff << GSTAT_GID_SHIFT) | GSTAT_PGM
  csrxchg $t0, $t1, CSR_GSTAT
  li.w $t0, PRMD_PIE              /* host interrupts are on while the guest runs: they exit */
  csrwr $t0, CSR_PRMD

  guest_registers ld.d, $a0       /* from here on only a0 is the hypervisor's */
  ld.d $a0, $a0, CTX_GPR + 8 * 4
  .globl _guest_entry
_guest_entry:
  ertn                            /* VM := GSTAT.PGM, PC := ERA: the guest's first instruction is next */
  .size _run_guest, . - _run_guest

/* The hardware arrives here at PLV0, interrupts off, GSTAT.PGM = 1, all GPRs still the guest's. */
  .balign 4096
  .globl _guest_exit
  .type _guest_exit, @function
_guest_exit:
  csrwr $a0, CSR_SAVE0            /* a0 = context, SAVE0 = the guest's a0 */
  guest_registers st.d, $a0       /* the 30 other registers, unchanged so far */
  csrrd $t0, CSR_SAVE0            /* and the guest's a0 */
  st.d $t0, $a0, CTX_GPR + 8 * 4

  csrrd $t0, CSR_ERA              /* the instruction that caused the exit, or the next one after an interrupt */
  st.d $t0, $a0, CTX_PC
  csrrd $t0, CSR_ESTAT            /* the cause */
  st.d $t0, $a0, CTX_EXIT_ESTAT
  csrrd $t0, CSR_BADV             /* the GPA of a stage-2 fault */
  st.d $t0, $a0, CTX_EXIT_BADV
  csrrd $t0, CSR_BADI             /* the instruction word */
  st.d $t0, $a0, CTX_EXIT_BADI

  li.w $t1, GSTAT_PGM             /* from now on ertn stays in the host */
  csrxchg $zero, $t1, CSR_GSTAT
  li.w $t1, 0xff << GTLBC_TGID_SHIFT
  csrxchg $zero, $t1, CSR_GTLBC   /* TLB instructions work on host entries again */
  la.pcrel $t0, _host_vector      /* exceptions are again those of the hypervisor */
  csrwr $t0, CSR_EENTRY

  host_registers ld.d, $a0        /* back to the caller of _run_guest */
  ret
  .size _guest_exit, . - _guest_exit

/* void _save_guest_csrs(struct vcpu *vcpu): saves the bank in the context of its owner. */
  .globl _save_guest_csrs
  .type _save_guest_csrs, @function
_save_guest_csrs:
#define SAVE_ONE(name, slot) gcsrrd $t0, CSR_##name; st.d $t0, $a0, CTX_GCSR + 8 * slot;
  FOR_EACH_GCSR(SAVE_ONE)
  ret

/* void _load_guest_csrs(struct vcpu *vcpu): loads the bank from a context. */
  .globl _load_guest_csrs
  .type _load_guest_csrs, @function
_load_guest_csrs:
  move $t0, $zero
  gcsrwr $t0, CSR_TCFG            /* a running timer must not expire between the writes below */
#define LOAD_ONE(name, slot) ld.d $t0, $a0, CTX_GCSR + 8 * slot; gcsrwr $t0, CSR_##name;
  FOR_EACH_GCSR(LOAD_ONE)
  ret
