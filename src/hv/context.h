/* The saved context of a vCPU: its layout is defined only here. C (vm.h), assembly (run_guest.S)
 * and the debugger (context-layout.ts reads the CTX_ lines) share these offsets. */
#ifndef HV_CONTEXT_H
#define HV_CONTEXT_H

#define CTX_GPR 0x000       /* r0..r31 of the guest */
#define CTX_PC 0x100        /* where the guest goes on */
#define CTX_STAGE2_ROOT 0x108 /* physical address of the VM's stage-2 table */
#define CTX_GID 0x110       /* the VM's GID */
#define CTX_EXIT_ESTAT 0x118 /* R.ESTAT, R.BADV, R.BADI of the last exit */
#define CTX_EXIT_BADV 0x120
#define CTX_EXIT_BADI 0x128
#define CTX_HOST 0x130      /* ra, tp, sp, fp, s0..s8 of the hypervisor while the guest runs */
#define CTX_GCSR 0x1a0      /* the guest CSR bank while another vCPU owns it, in the order below */
#define CTX_SIZE 0x340

/* The guest CSR bank in restore order: the timer is stopped first and set last, so that no expiry is lost or
 * invented (ESTAT before TCFG, TCFG before TVAL). Slot numbers index CTX_GCSR. */
#define FOR_EACH_GCSR(X) \
  X(CRMD, 0) X(PRMD, 1) X(EUEN, 2) X(MISC, 3) X(ECFG, 4) X(ERA, 5) X(BADV, 6) X(BADI, 7) X(EENTRY, 8) \
  X(TLBIDX, 9) X(TLBEHI, 10) X(TLBELO0, 11) X(TLBELO1, 12) X(ASID, 13) X(PGDL, 14) X(PGDH, 15) X(PWCL, 16) \
  X(PWCH, 17) X(STLBPS, 18) X(RVACFG, 19) X(CPUID, 20) X(SAVE0, 21) X(SAVE1, 22) X(SAVE2, 23) X(SAVE3, 24) \
  X(SAVE4, 25) X(SAVE5, 26) X(SAVE6, 27) X(SAVE7, 28) X(TID, 29) X(CNTC, 30) X(LLBCTL, 31) X(TLBRENTRY, 32) \
  X(TLBRBADV, 33) X(TLBRERA, 34) X(TLBRSAVE, 35) X(TLBRELO0, 36) X(TLBRELO1, 37) X(TLBREHI, 38) X(TLBRPRMD, 39) \
  X(DMW0, 40) X(DMW1, 41) X(DMW2, 42) X(DMW3, 43) X(ESTAT, 44) X(TCFG, 45) X(TVAL, 46)
#define GCSR_COUNT 47
#define GCSR_SLOT_CRMD 0
#define GCSR_SLOT_ECFG 4
#define GCSR_SLOT_STLBPS 18
#define GCSR_SLOT_CPUID 20
#define GCSR_SLOT_ASID 13
#define GCSR_SLOT_ESTAT 44
#define GCSR_SLOT_TCFG 45
#define GCSR_SLOT_TVAL 46

#endif
