/* LSX: 128-bit vectors (Vol. 2). */
#include "conformance.h"
  PROGRAM "LSX"
  CPUCFG $s0, 2, 6, 6
  NEEDS $s0, "no LSX (CPUCFG 2)"
  FCSR 0
  VECTOR $vr1, 0x7f80ff0100fe7f80, 0x0102030405060708
  VECTOR $vr2, 0x0101010101010101, 0xfffefdfcfbfaf9f8
  vadd.b $vr0, $vr1, $vr2
  CHECK_V "vadd.b", $vr0, 0x8081000201ff8081, 0
  vsadd.b $vr0, $vr1, $vr2
  CHECK_V "vsadd.b saturates", $vr0, 0x7f81000201ff7f81, 0
  vssub.bu $vr0, $vr1, $vr2
  CHECK_V "vssub.bu saturates", $vr0, 0x7e7ffe0000fd7e7f, 0
  vavgr.bu $vr0, $vr1, $vr2
  CHECK_V "vavgr.bu", $vr0, 0x4041800101804041, 0x8080808080808080
  vmulwev.h.b $vr0, $vr1, $vr2
  CHECK_V "vmulwev.h.b", $vr0, 0xff800001fffeff80, 0xfffcfff0ffdcffc0
  vmuh.bu $vr0, $vr1, $vr2
  CHECK_V "vmuh.bu", $vr0, 0, 0x0001020304050607
  vhaddw.q.d $vr0, $vr1, $vr2
  CHECK_V "vhaddw.q.d", $vr0, 0x0203040506070809, 0
  vseq.b $vr0, $vr1, $vr2
  CHECK_V "vseq.b", $vr0, 0x000000ff00000000, 0
  vslti.bu $vr0, $vr1, 2
  CHECK_V "vslti.bu", $vr0, 0x000000ffff000000, 0xff00000000000000
  vsrari.h $vr0, $vr1, 4
  CHECK_V "vsrari.h rounds", $vr0, 0x07f8fff0001007f8, 0x0010003000500071
  vssrani.b.h $vr0, $vr1, 4
  vpickve2gr.d $s1, $vr0, 0
  CHECK "vssrani.b.h saturates vj into the low half", $s1, 0x103050707ff00f7f
  vclz.w $vr0, $vr1
  CHECK_V "vclz.w", $vr0, 0x0000000100000008, 0x0000000700000005
  vpcnt.b $vr0, $vr1
  CHECK_V "vpcnt.b", $vr0, 0x0701080100070701, 0x0101020102020301
  vmskltz.b $vr0, $vr1
  CHECK_V "vmskltz.b", $vr0, 0x65, 0
  vshuf4i.h $vr0, $vr1, 0x1b
  CHECK_V "vshuf4i.h reverses", $vr0, 0x7f8000feff017f80, 0x0708050603040102
  vilvl.b $vr0, $vr1, $vr2
  CHECK_V "vilvl.b", $vr0, 0x0001fe017f018001, 0x7f018001ff010101
  vpackod.w $vr0, $vr1, $vr2
  CHECK_V "vpackod.w", $vr0, 0x7f80ff0101010101, 0x01020304fffefdfc
  vextrins.b $vr0, $vr2, 0xf0
  vpickve2gr.bu $s1, $vr0, 15
  CHECK "vextrins.b", $s1, 1
  vbsrl.v $vr0, $vr1, 9
  CHECK_V "vbsrl.v", $vr0, 0x0001020304050607, 0
  vldi $vr0, -912
  CHECK_V "vldi with a double literal", $vr0, 0x3ff0000000000000, 0x3ff0000000000000
  vseteqz.v $fcc0, $vr1
  movcf2gr $s1, $fcc0
  CHECK "vseteqz.v", $s1, 0
  vsetanyeqz.d $fcc1, $vr0
  movcf2gr $s1, $fcc1
  CHECK "vsetanyeqz.d", $s1, 0
  vldi $vr3, 0
  vfrstp.b $vr3, $vr1, $vr2
  CHECK_V "vfrstp.b", $vr3, 0, 0
  la.pcrel $s2, place
  vst $vr1, $s2, 3
  vld $vr4, $s2, 3
  vseq.d $vr4, $vr4, $vr1
  CHECK_V "vst and vld at an odd address", $vr4, -1, -1
  vldrepl.h $vr4, $s2, 4
  CHECK_V "vldrepl.h", $vr4, 0xfe7ffe7ffe7ffe7f, 0xfe7ffe7ffe7ffe7f
  vstelm.b $vr1, $s2, 0, 15
  ld.bu $s1, $s2, 0
  CHECK "vstelm.b", $s1, 1
  FLOAT_D $fa5, 0x400921fb54442d18
  vpickve2gr.d $s1, $vr5, 0
  CHECK "f5 is the low half of vr5", $s1, 0x400921fb54442d18
  VECTOR $vr6, 0x3f80000040000000, 0x7fc0000000000000
  VECTOR $vr7, 0x4000000040400000, 0x3f80000000000000
  vfadd.s $vr0, $vr6, $vr7
  CHECK_V "vfadd.s", $vr0, 0x4040000040a00000, 0x7fc0000000000000
  vfcmp.cun.s $vr0, $vr6, $vr7
  CHECK_V "vfcmp.cun.s", $vr0, 0, 0xffffffff00000000
  vfcvtl.d.s $vr0, $vr6
  CHECK_V "vfcvtl.d.s", $vr0, 0x4000000000000000, 0x3ff0000000000000
  vftintrz.w.s $vr0, $vr7
  CHECK_V "vftintrz.w.s", $vr0, 0x0000000200000003, 0x0000000100000000
  li.w $t0, 1
  csrwr $t0, EUEN
  FORGET
  vadd.b $vr0, $vr1, $vr2
  TRAPPED "without EUEN.SXE vectors raise SXD", SXD
  vld $vr0, $zero, 0
  TRAPPED "so does a load, before its address is looked at", SXD
  END_PROGRAM
  .data
  .balign 64
place: .space 64
