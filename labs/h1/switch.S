/* The world switch. SAVE1 holds the address of the vCPU while its guest runs. */
#include "lab.h"

#define FRAME 96
#define TGID_MASK (0xff << GTLBC_TGID_SHIFT)
#define GID_PGM_MASK (0xff << GSTAT_GID_SHIFT | GSTAT_PGM)

/* Registers that a C function must preserve. */
  .macro host_registers op
  \op $ra, $sp, 0
  \op $tp, $sp, 8
  \op $fp, $sp, 16
  \op $s0, $sp, 24
  \op $s1, $sp, 32
  \op $s2, $sp, 40
  \op $s3, $sp, 48
  \op $s4, $sp, 56
  \op $s5, $sp, 64
  \op $s6, $sp, 72
  \op $s7, $sp, 80
  \op $s8, $sp, 88
  .endm

/* All registers of the guest but r4 = a0, which holds the vCPU. */
  .macro guest_registers op
  .irp n, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  \op $r\n, $a0, 8 * \n
  .endr
  .endm

  .text
/* void enter_guest(struct vcpu *vcpu): runs the guest until its next exit. */
  .globl enter_guest
  .type enter_guest, @function
enter_guest:
  addi.d $sp, $sp, -FRAME
  host_registers st.d
  st.d $sp, $a0, VCPU_HOST_SP
  move $t0, $a0
  csrwr $t0, CSR_SAVE1
  la.pcrel $t0, leave_guest
  csrwr $t0, CSR_EENTRY

  /* HOLE 4: what the ertn below needs. The vCPU is in a0; t0, t1 and t2 are free.
   *   ERA     the guest's PC (VCPU_PC)
   *   PGDL    the VM's stage-2 table (VCPU_TABLE), for the refill handler
   *   GTLBC   TGID, bits 23:16: the GID (VCPU_GID), with csrxchg and TGID_MASK
   *   GSTAT   GID, bits 23:16, and PGM, with csrxchg and GID_PGM_MASK
   *   PRMD    PIE, so that interrupts of the host exit */

  guest_registers ld.d
  ld.d $a0, $a0, 8 * 4
  ertn
  .size enter_guest, . - enter_guest

/* Exits arrive here, all registers still the guest's. */
  .balign 4096
  .globl leave_guest
  .type leave_guest, @function
leave_guest:
  csrwr $a0, CSR_SAVE1            /* a0: the vCPU, SAVE1: the guest's a0 */
  guest_registers st.d
  csrrd $t0, CSR_SAVE1
  st.d $t0, $a0, 8 * 4

  /* HOLE 5: ERA, ESTAT, BADV and BADI to VCPU_PC, VCPU_ESTAT, VCPU_BADV and VCPU_BADI: the next exception overwrites them.
   * Then GTLBC.TGID = 0 (the host's own refills) and GSTAT.PGM = 0 (the host's own ertn), with csrxchg of $zero. */

  la.pcrel $t0, host_trap
  csrwr $t0, CSR_EENTRY
  ld.d $sp, $a0, VCPU_HOST_SP
  host_registers ld.d
  addi.d $sp, $sp, FRAME
  ret
  .size leave_guest, . - leave_guest
