/* LASX: 256-bit vectors (Vol. 2). */
#include "conformance.h"
  .macro VECTOR4 reg, a, b, c, d
  li.d $t0, \a
  xvinsgr2vr.d \reg, $t0, 0
  li.d $t0, \b
  xvinsgr2vr.d \reg, $t0, 1
  li.d $t0, \c
  xvinsgr2vr.d \reg, $t0, 2
  li.d $t0, \d
  xvinsgr2vr.d \reg, $t0, 3
  .endm
  .macro CHECK_X text, reg, a, b, c, d
  xvpickve2gr.d $s7, \reg, 0
  CHECK "\text, doubleword 0", $s7, \a
  xvpickve2gr.d $s7, \reg, 1
  CHECK "\text, doubleword 1", $s7, \b
  xvpickve2gr.d $s7, \reg, 2
  CHECK "\text, doubleword 2", $s7, \c
  xvpickve2gr.d $s7, \reg, 3
  CHECK "\text, doubleword 3", $s7, \d
  .endm
  PROGRAM "LASX"
  CPUCFG $s0, 2, 7, 7
  NEEDS $s0, "no LASX (CPUCFG 2)"
  VECTOR4 $xr1, 1, 2, 3, 4
  VECTOR4 $xr2, 10, 20, 30, 40
  xvadd.d $xr0, $xr1, $xr2
  CHECK_X "xvadd.d", $xr0, 11, 22, 33, 44
  xvilvl.d $xr0, $xr1, $xr2
  CHECK_X "xvilvl.d stays inside its half", $xr0, 10, 1, 30, 3
  xvpermi.d $xr0, $xr1, 0x1b
  CHECK_X "xvpermi.d crosses halves", $xr0, 4, 3, 2, 1
  xvori.b $xr0, $xr2, 0
  xvpermi.q $xr0, $xr1, 0x20
  CHECK_X "xvpermi.q joins halves", $xr0, 1, 2, 10, 20
  xvpickve.d $xr0, $xr1, 3
  CHECK_X "xvpickve.d clears the rest", $xr0, 4, 0, 0, 0
  xvori.b $xr0, $xr2, 0
  xvinsve0.d $xr0, $xr1, 2
  CHECK_X "xvinsve0.d keeps the rest", $xr0, 10, 20, 1, 40
  xvreplve0.d $xr0, $xr2
  CHECK_X "xvreplve0.d", $xr0, 10, 10, 10, 10
  VECTOR4 $xr3, 0x0000000700000000, 0x0000000100000006, 0x0000000300000003, 0x0000000500000002
  VECTOR4 $xr4, 0x0000001100000010, 0x0000001300000012, 0x0000001500000014, 0x0000001700000016
  xvperm.w $xr0, $xr4, $xr3
  CHECK_X "xvperm.w", $xr0, 0x0000001700000010, 0x0000001100000016, 0x0000001300000013, 0x0000001500000012
  VECTOR4 $xr5, 0x00000000fffe0001, 0, 0, 0
  vext2xv.d.h $xr0, $xr5
  CHECK_X "vext2xv.d.h", $xr0, 1, -2, 0, 0
  xvmskltz.d $xr0, $xr0
  CHECK_X "xvmskltz.d gives one mask a half", $xr0, 2, 0, 0, 0
  la.pcrel $s2, place
  xvst $xr1, $s2, 5
  xvld $xr0, $s2, 5
  CHECK_X "xvst and xvld at an odd address", $xr0, 1, 2, 3, 4
  xvldrepl.d $xr0, $s2, 0
  li.w $s3, 8
  xvstelm.w $xr2, $s2, 8, 6
  ld.w $s1, $s2, 8
  CHECK "xvstelm.w of the upper half", $s1, 40
  xvsetnez.v $fcc2, $xr1
  movcf2gr $s1, $fcc2
  CHECK "xvsetnez.v", $s1, 1
  vpickve2gr.d $s1, $vr1, 1
  CHECK "vr1 is the low half of xr1", $s1, 2
  li.w $t0, 3
  csrwr $t0, EUEN
  FORGET
  xvadd.d $xr0, $xr1, $xr2
  TRAPPED "without EUEN.ASXE they raise ASXD", ASXD
  END_PROGRAM
  .data
  .balign 64
place: .space 64
