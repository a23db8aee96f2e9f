/* Units of both worlds: EUEN (docs/lvz.md, "What exits and what does not"). */
#include "lvz.h"
  .macro UNIT name, bit, ecode, label
  SET_GCSR ESTAT, 0
  SET_GCSR EUEN, 0
  SET_CSR EUEN, 7
  GUEST \label
  EXITED "[k] \name, G.EUEN off: no exit", HVC
  gcsrrd $s1, ESTAT
  bstrpick.d $s1, $s1, 21, 16
  CHECK "[k] \name, G.EUEN off: the guest's exception", $s1, \ecode
  SET_GCSR EUEN, 7
  csrwr $zero, EUEN
  GUEST \label
  EXITED "[k] \name, only R.EUEN off: exit", \ecode
  EXIT_IS "[k] \name: ERA is the instruction", exit_era, \label
  SET_CSR EUEN, \bit
  AGAIN
  EXITED "[k] \name, both on: the instruction runs", HVC
  .endm
  PROGRAM "LVZ: units"
  HOST
  la.pcrel $t0, guest_vector
  gcsrwr $t0, EENTRY
  UNIT "floating point", 1, FPD, fp
  CPUCFG $s0, 2, 6, 6
  beqz $s0, 1f
  UNIT "LSX", 2, SXD, lsx
1:
  CPUCFG $s0, 2, 7, 7
  beqz $s0, 2f
  UNIT "LASX", 4, ASXD, lasx
2:
  END_PROGRAM
  .balign 8192
fp:
  fadd.d $fa0, $fa0, $fa0
  DONE
lsx:
  vadd.b $vr0, $vr0, $vr0
  DONE
lasx:
  xvadd.b $xr0, $xr0, $xr0
  DONE
  .balign 4096
guest_vector:
  DONE
