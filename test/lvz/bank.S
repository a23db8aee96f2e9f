/* The guest CSR bank, from root (docs/lvz.md, "Guest bank"). */
#include "lvz.h"
  .macro KEEPS csr, value
  SET_GCSR \csr, \value
  GCSR_IS "[k] gcsr \csr keeps what is written", \csr, \value
  .endm
  PROGRAM "LVZ: the guest bank"
  HOST
  csrrd $s3, CRMD
  GCSR_IS "[c] G.CRMD starts in direct address mode", CRMD, 8
  SET_GCSR SAVE0, 0x1111
  li.d $s0, 0x2222
  gcsrwr $s0, SAVE0
  CHECK "[k] gcsrwr gives the old value", $s0, 0x1111
  li.d $s0, 0xff
  li.d $s1, 0x0f
  gcsrxchg $s0, $s1, SAVE0
  CHECK "[k] gcsrxchg gives the old value", $s0, 0x2222
  GCSR_IS "[k] and writes the bits of its mask", SAVE0, 0x222f
  csrwr $zero, SAVE0
  GCSR_IS "[k] the host's register of that number is another one", SAVE0, 0x222f
  KEEPS ERA, 0x123456789abcdef0
  KEEPS BADV, 0xfedcba9876543210
  KEEPS BADI, 0x12345678
  KEEPS EENTRY, 0x9000000000001000
  KEEPS TLBRENTRY, 0x202000
  KEEPS TLBRERA, 0x12345671
  KEEPS TLBRBADV, 0x1234
  KEEPS PGDL, 0x204000
  KEEPS CPUID, 5
  KEEPS TID, 7
  KEEPS CNTC, 0x1122334455667788
  SET_GCSR TLBRERA, 0
  SET_GCSR CNTC, 0
  SET_GCSR ESTAT, 0xd5c03
  gcsrrd $s0, ESTAT
  andi $s1, $s0, 0x3fc
  CHECK "[k] G.ESTAT.IS 9:2 is not storage", $s1, 0
  bstrpick.d $s1, $s0, 21, 16
  CHECK "[k] root may write Ecode", $s1, 0xd
  bstrpick.d $s1, $s0, 12, 10
  CHECK "[k] and PMI, TI and IPI", $s1, 7
  andi $s1, $s0, 3
  CHECK "[k] and the software interrupts", $s1, 3
  SET_CSR GINTC, 0x81
  gcsrrd $s0, ESTAT
  bstrpick.d $s1, $s0, 9, 2
  CHECK "[k] GINTC.HWIS shows in it", $s1, 0x81
  csrwr $zero, GINTC
  gcsrrd $s0, ESTAT
  bstrpick.d $s1, $s0, 9, 2
  CHECK "[k] as a level", $s1, 0
  SET_GCSR ESTAT, 0
  SET_GCSR TLBRPRMD, 0xf
  gcsrrd $s0, TLBRPRMD
  CHECK "[c] G.TLBRPRMD has no PGM", $s0, 7
  SET_GCSR TLBRPRMD, 0
  SET_GCSR PGD, 0x7000
  GCSR_IS "[h] gcsrwr PGD is ignored: PGD follows BADV", PGD, 0
  gcsrrd $s0, 0x16
  CHECK "[c] a number outside the bank reads 0", $s0, 0
  FORGET
  li.d $t0, -1
  gcsrwr $t0, GSTAT
  csrrd $s0, GSTAT
  andi $s0, $s0, PGM
  CHECK "[c] and ignores writes", $s0, 0
  SET_GCSR 0x38, 1
  NOT_TRAPPED "[h] SAVE8 to SAVE15 can be written without harm"
  csrrd $s0, CRMD
  sub.d $s0, $s0, $s3
  CHECK "[k] nothing of this touches the host", $s0, 0
  END_PROGRAM
