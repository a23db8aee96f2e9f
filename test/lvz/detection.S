/* Detection and control registers (docs/lvz.md, "The model" and "Guest bank"). */
#include "lvz.h"
  PROGRAM "LVZ: detection and control registers"
  CPUCFG $s0, 2, 10, 10
  NEEDS $s0, "no LVZ (CPUCFG 2)"
  CPUCFG $s0, 2, 13, 11
  CHECK "[m] the version is 1", $s0, 1
  csrwr $zero, GSTAT
  csrrd $s0, GSTAT
  bstrpick.d $s1, $s0, 9, 4
  CHECK "[k] GSTAT.GIDBIT survives writes of 0", $s1, 8
  andi $s1, $s0, 1
  CHECK "[c] GSTAT.VM reads 0 in the host", $s1, 0
  li.d $t0, -1
  csrwr $t0, GSTAT
  csrrd $s0, GSTAT
  csrwr $zero, GSTAT
  andi $s1, $s0, 1
  CHECK "[c] GSTAT.VM cannot be written", $s1, 0
  bstrpick.d $s1, $s0, 23, 16
  CHECK "[k] GSTAT.GID has 8 bits", $s1, 0xff
  csrwr $zero, GCFG
  csrrd $s0, GCFG
  bstrpick.d $s1, $s0, 1, 1
  CHECK "[k] GCFG.MATP survives writes of 0", $s1, 1
  bstrpick.d $s1, $s0, 5, 4
  CHECK "[k] GCFG.MATC is 0 then", $s1, 0
  SET_CSR GCFG, 0x200010
  csrrd $s0, GCFG
  csrwr $zero, GCFG
  bstrpick.d $s1, $s0, 5, 4
  CHECK "[h] MATC takes 1", $s1, 1
  bstrpick.d $s1, $s0, 21, 20
  CHECK "[h] GCI takes 2", $s1, 2
  SET_CSR GTLBC, USETGID | 7 << 16
  csrrd $s0, GTLBC
  bstrpick.d $s1, $s0, 23, 16
  CHECK "[k] GTLBC.TGID", $s1, 7
  bstrpick.d $s1, $s0, 14, 14
  CHECK "[c] GTLBC.USEVMID is not there", $s1, 0
  csrwr $zero, GTLBC
  SET_CSR GINTC, 0xffffff
  csrrd $s0, GINTC
  csrwr $zero, GINTC
  CHECK "[k] GINTC is stored", $s0, 0xffffff
  SET_CSR GCNTC, 0x123456789abcdef
  csrrd $s0, GCNTC
  csrwr $zero, GCNTC
  CHECK "[k] GCNTC has 64 bits", $s0, 0x123456789abcdef
  SET_CSR 0x502, 0x1122334455667788
  csrrd $s0, 0x502
  CHECK "[h] DSAVE is a register", $s0, 0x1122334455667788
  SET_CSR 0x95, 0x55
  csrrd $s0, 0x95
  CHECK "[h] MERRSAVE is a register", $s0, 0x55
  SET_CSR TLBRPRMD, 0x1f
  csrrd $s0, TLBRPRMD
  csrwr $zero, TLBRPRMD
  CHECK "[c] TLBRPRMD.PGM can be written by the host", $s0, 0x1f
  FORGET
  hvcl 0
  TRAPPED "[c] hvcl in the host raises INE", INE
  .word 0x002a8000
  TRAPPED "[c] dbcl in the host raises INE", INE
  END_PROGRAM
