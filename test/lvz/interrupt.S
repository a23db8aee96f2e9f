/* Interrupts, the guest's timer and time (docs/lvz.md, "Interrupts and time"). */
#include "lvz.h"
  /* What the guest's vector saw: ESTAT.IS in s0, or 0 when it was not taken. */
  .macro TAKEN text, is
  CHECK "\text", $s0, \is
  li.d $s0, 0
  .endm
  .macro READY
  li.d $s0, 0
  SET_GCSR CRMD, 0xc
  SET_GCSR ECFG, 0x1fff
  SET_GCSR ESTAT, 0
  .endm
  PROGRAM "LVZ: interrupts and time"
  HOST
  la.pcrel $t0, guest_vector
  gcsrwr $t0, EENTRY
  csrwr $zero, ECFG
  READY
  SET_CSR GINTC, 4
  GUEST nothing
  TAKEN "[k] a line of GINTC is taken at entry", 0x10
  READY
  SET_GCSR CRMD, 8
  GUEST nothing
  TAKEN "[k] not while G.CRMD.IE is 0", 0
  GUEST opens
  TAKEN "[k] but at the guest's own write of CRMD.IE", 0x10
  READY
  SET_GCSR ECFG, 0
  GUEST enables
  TAKEN "[k] and at its write of ECFG", 0x10
  SET_GCSR CRMD, 8
  SET_GCSR ECFG, 0x1fff
  GUEST returns
  TAKEN "[k] and at its ertn", 0x10
  csrwr $zero, GINTC
  READY
  GUEST nothing
  TAKEN "[k] a level that is gone is not taken", 0
  READY
  GUEST software
  TAKEN "[k] a software interrupt of the guest", 2
  READY
  SET_GCSR ESTAT, 0x800
  GUEST nothing
  TAKEN "[k] TI through gcsrwr ESTAT", 0x800
  READY
  SET_GCSR ESTAT, 0x1000
  GUEST nothing
  TAKEN "[k] IPI through gcsrwr ESTAT", 0x1000
  READY
  SET_GCSR ESTAT, 0x1000
  GUEST clears
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 12, 12
  CHECK "[k] the guest cannot clear IPI itself", $s1, 1
  SET_GCSR ESTAT, 0
  SET_GCSR CRMD, 8
  /* The guest's timer. */
  SET_GCSR TCFG, 0
  SET_GCSR TICLR, 1
  SET_GCSR TCFG, 2000 | 1
1:
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 11, 11
  beqz $s1, 1b
  CHECK "[k] the guest's timer runs and fires while the host runs", $s1, 1
  gcsrrd $s1, TVAL
  CHECK "[k] a one shot that has fired reads all ones", $s1, 0xffffffffffff
  gcsrrd $s1, TCFG
  andi $s1, $s1, 1
  CHECK "[k] and keeps En", $s1, 1
  SET_GCSR TICLR, 1
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 11, 11
  CHECK "[k] gcsrwr TICLR clears TI", $s1, 0
  SET_GCSR TCFG, 0
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 11, 11
  CHECK "[k] TCFG = 0 is quiet", $s1, 0
  SET_GCSR TCFG, 0x10000000 | 1
  SET_GCSR TVAL, 0
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 11, 11
  CHECK "[k] gcsrwr TVAL = 0 raises TI", $s1, 1
  SET_GCSR TCFG, 0
  SET_GCSR TICLR, 1
  csrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 11, 11
  CHECK "[k] the host's timer is another one", $s1, 0
  READY
  GUEST times
  TAKEN "[k] the guest sets its timer and takes its interrupt", 0x800
  SET_GCSR TCFG, 0
  SET_GCSR TICLR, 1
  /* A host interrupt exits, whatever the guest's mode. */
  .macro INTERRUPTED text, crmd
  SET_GCSR CRMD, \crmd
  SET_GCSR ECFG, 0
  SET_CSR ECFG, 0x800
  SET_CSR TICLR, 1
  SET_CSR TCFG, 4000 | 1
  GUEST spins, 1, 4
  csrwr $zero, TCFG
  EXITED "\text", 0
  NOTED $s1, exit_estat
  bstrpick.d $s1, $s1, 11, 11
  CHECK "\text: R.ESTAT.IS tells which", $s1, 1
  SET_CSR TICLR, 1
  csrwr $zero, ECFG
  .endm
  INTERRUPTED "[k] a host interrupt exits with G.CRMD.IE = 1", 0xc
  INTERRUPTED "[k] and with G.CRMD.IE = 0", 8
  INTERRUPTED "[k] and at PLV 3 of the guest", 0xb
  SET_GCSR CRMD, 8
  /* Time. */
  csrwr $zero, CNTC
  SET_GCSR CNTC, 0
  rdtime.d $s3, $zero
  GUEST reads_time
  sub.d $s1, $s0, $s3
  sltui $s1, $s1, 2000
  CHECK "[k] the guest's counter is the host's", $s1, 1
  SET_CSR GCNTC, 0x1000000000
  rdtime.d $s3, $zero
  GUEST reads_time
  csrwr $zero, GCNTC
  sub.d $s1, $s0, $s3
  li.d $t0, 0x1000000000
  sub.d $s1, $s1, $t0
  sltui $s1, $s1, 2000
  CHECK "[k] plus GCNTC", $s1, 1
  SET_GCSR TID, 0x42
  GUEST reads_time
  SET_GCSR TID, 0
  CHECK "[k] with the guest's TID", $s2, 0x42
  END_PROGRAM

  .balign 8192
nothing:
  DONE
opens:
  li.w $t0, 4
  csrxchg $t0, $t0, CRMD
  DONE
enables:
  li.w $t0, 0x1fff
  csrwr $t0, ECFG
  DONE
returns:
  la.pcrel $t0, nothing
  csrwr $t0, ERA
  li.w $t0, 4
  csrwr $t0, PRMD
  ertn
software:
  li.w $t0, 2
  csrwr $t0, ESTAT
  DONE
clears:
  csrwr $zero, ESTAT
  DONE
times:
  li.w $t0, 1000 | 1
  csrwr $t0, TCFG
1:
  beqz $s0, 1b
  DONE
spins:
  b spins
reads_time:
  rdtime.d $s0, $s2
  DONE
  .balign 4096
guest_vector:
  csrrd $s0, ESTAT
  bstrpick.d $s0, $s0, 12, 0
  DONE
