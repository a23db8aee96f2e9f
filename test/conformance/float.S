/* Floating point (Vol. 1, chapter 3). */
#include "conformance.h"
  PROGRAM "floating point"
  FCSR 0
  FLOAT_D $fa0, 0x3ff0000000000000
  FLOAT_D $fa1, 0x4008000000000000
  # Manual: 3.1.4.5
  fdiv.d $fa2, $fa0, $fa1
  movfr2gr.d $s0, $fa2
  CHECK "1/3 to nearest", $s0, 0x3fd5555555555555
  movfcsr2gr $s1, $fcsr0
  CHECK "sets Inexact in Cause and Flags", $s1, 0x01010000
  FCSR 0x200
  fdiv.d $fa2, $fa0, $fa1
  movfr2gr.d $s0, $fa2
  CHECK "1/3 rounded up", $s0, 0x3fd5555555555556
  FCSR 0x300
  fneg.d $fa3, $fa0
  fdiv.d $fa2, $fa3, $fa1
  movfr2gr.d $s0, $fa2
  CHECK "-1/3 rounded down", $s0, 0xbfd5555555555556
  FCSR 0x100
  fdiv.d $fa2, $fa3, $fa1
  movfr2gr.d $s0, $fa2
  CHECK "-1/3 rounded to zero", $s0, 0xbfd5555555555555
  fsub.d $fa2, $fa0, $fa0
  movfr2gr.d $s0, $fa2
  CHECK "x - x is +0", $s0, 0
  FCSR 0x300
  fsub.d $fa2, $fa0, $fa0
  movfr2gr.d $s0, $fa2
  CHECK "x - x rounded down is -0", $s0, 0x8000000000000000
  FCSR 0
  # Manual: 3.1.4.2
  FLOAT_D $fa4, 0
  fdiv.d $fa2, $fa0, $fa4
  movfr2gr.d $s0, $fa2
  CHECK "1/0 is infinite", $s0, 0x7ff0000000000000
  movfcsr2gr $s1, $fcsr2
  CHECK "1/0 sets DivideByZero alone", $s1, 0x08080000
  # Manual: 3.1.4.1, 3.1.3.3
  fdiv.d $fa2, $fa4, $fa4
  movfr2gr.d $s0, $fa2
  CHECK "0/0 is the default NaN", $s0, 0x7ff8000000000000
  movfcsr2gr $s1, $fcsr2
  CHECK "Flags accumulate, Cause does not", $s1, 0x10180000
  # Manual: 3.1.1.3
  FLOAT_D $fa5, 0x7ff0000000000123
  FLOAT_D $fa6, 0xfff8000000000456
  fadd.d $fa2, $fa6, $fa5
  movfr2gr.d $s0, $fa2
  CHECK "a signalling NaN goes before a quiet one", $s0, 0x7ff8000000000123
  fmul.d $fa2, $fa6, $fa0
  movfr2gr.d $s0, $fa2
  CHECK "a quiet NaN passes with its payload", $s0, 0xfff8000000000456
  fmax.d $fa2, $fa6, $fa0
  movfr2gr.d $s0, $fa2
  CHECK "fmax.d prefers the number", $s0, 0x3ff0000000000000
  FLOAT_D $ft0, 0x8000000000000000
  fmin.d $fa2, $ft0, $fa4
  movfr2gr.d $s0, $fa2
  CHECK "fmin.d of -0 and +0 is -0", $s0, 0x8000000000000000
  FCSR 0
  FLOAT_S $fa0, 0x3f800001
  FLOAT_S $fa1, 0x3f7ffffe
  FLOAT_S $fa2, 0xbf800000
  fmadd.s $fa3, $fa0, $fa1, $fa2
  movfr2gr.s $s0, $fa3
  CHECK "fmadd.s rounds once", $s0, 0xffffffffa8800000
  # Manual: 3.1.4.3
  FLOAT_S $fa0, 0x7f7fffff
  fadd.s $fa3, $fa0, $fa0
  movfr2gr.s $s0, $fa3
  CHECK "overflow to infinity", $s0, 0x7f800000
  movfcsr2gr $s1, $fcsr0
  CHECK "sets Overflow and Inexact", $s1, 0x05050000
  FCSR 0
  # Manual: 3.1.4.4
  FLOAT_S $fa0, 0x00800000
  FLOAT_S $fa1, 0x3f000001
  fmul.s $fa3, $fa0, $fa1
  movfcsr2gr $s1, $fcsr0
  CHECK "an inexact subnormal sets Underflow and Inexact", $s1, 0x03030000
  FCSR 0
  FLOAT_S $fa1, 0x3f000000
  fmul.s $fa3, $fa0, $fa1
  movfcsr2gr $s1, $fcsr0
  CHECK "an exact subnormal sets nothing", $s1, 0
  # Manual: 3.1.4.4
  FCSR 0x2
  FORGET
  FLOAT_S $fa3, 0x12345678
  fmul.s $fa3, $fa0, $fa1
  movfcsr2gr $s1, $fcsr0
  TRAPPED "an exact subnormal traps where underflow is enabled", FPE
  CHECK "with Underflow alone in Cause", $s1, 0x02000002
  movfr2gr.s $s0, $fa3
  CHECK "and without a result", $s0, 0x12345678
  fadd.s $fa3, $fa1, $fa0
  NOT_TRAPPED "a normal result does not"
  FCSR 0
  FLOAT_S $fa0, 0x4f000000
  ftintrz.w.s $fa1, $fa0
  movfr2gr.s $s0, $fa1
  CHECK "2^31 to a word clamps", $s0, 0x7fffffff
  FLOAT_S $fa0, 0x7fc00000
  ftint.l.s $fa1, $fa0
  movfr2gr.d $s0, $fa1
  CHECK "a NaN converts to 0", $s0, 0
  FCSR 0
  FLOAT_D $fa0, 0x4004000000000000
  frint.d $fa1, $fa0
  movfr2gr.d $s0, $fa1
  CHECK "frint.d of 2.5 to nearest even", $s0, 0x4000000000000000
  ftintrp.w.d $fa1, $fa0
  movfr2gr.s $s0, $fa1
  CHECK "ftintrp.w.d of 2.5", $s0, 3
  fclass.d $fa1, $ft0
  movfr2gr.d $s0, $fa1
  CHECK "fclass.d of -0", $s0, 0x20
  # Manual: 3.2.1.8
  /* V; then an operation without an exception, whose Cause is empty; then the classification, which leaves Cause alone. */
  FLOAT_S $ft3, 0xc1600000
  FLOAT_S $ft4, 0x40000000
  FCSR 0x10000
  flogb.s $ft5, $ft3
  fmul.s $ft6, $ft4, $ft4
  fclass.d $ft5, $ft4
  movfcsr2gr $s0, $fcsr0
  CHECK "fclass.d keeps the Cause of the operation before it", $s0, 0x00110000
  FCSR 0
  FLOAT_S $ft5, 0
  fdiv.s $ft6, $ft4, $ft5
  fclass.s $ft5, $ft4
  movfcsr2gr $s0, $fcsr0
  CHECK "fclass.s keeps DivideByZero in Cause", $s0, 0x08080000
  FCSR 0x10000
  flogb.s $ft5, $ft3
  fadd.s $ft6, $ft4, $ft4
  vfclass.d $vr11, $vr12
  movfcsr2gr $s0, $fcsr0
  CHECK "vfclass.d keeps the Cause of the operation before it", $s0, 0x00110000
  FLOAT_S $ft5, 0x7f800001
  fclass.s $ft5, $ft5
  movfr2gr.s $s0, $ft5
  CHECK "fclass.s of a signalling NaN", $s0, 1
  movfcsr2gr $s0, $fcsr0
  CHECK "which raises nothing", $s0, 0x00110000
  flogb.d $fa1, $fa0
  movfr2gr.d $s0, $fa1
  CHECK "flogb.d of 2.5", $s0, 0x3ff0000000000000
  li.d $t0, -2
  movgr2fr.d $fa2, $t0
  fscaleb.d $fa1, $fa0, $fa2
  movfr2gr.d $s0, $fa1
  CHECK "fscaleb.d by -2", $s0, 0x3fe4000000000000
  FCSR 0
  fcmp.clt.d $fcc0, $fa6, $fa0
  movcf2gr $s0, $fcc0
  movfcsr2gr $s1, $fcsr0
  CHECK "clt of a quiet NaN is false", $s0, 0
  CHECK "and quiet", $s1, 0
  fcmp.slt.d $fcc0, $fa6, $fa0
  movfcsr2gr $s1, $fcsr0
  CHECK "slt of a quiet NaN is invalid", $s1, 0x10100000
  fcmp.cun.d $fcc3, $fa6, $fa0
  movcf2gr $s0, $fcc3
  CHECK "cun of a NaN is true", $s0, 1
  # Manual: 3.1.1.3
  /* fa before fj before fk; narrowed and widened NaNs keep the upper bits of their payload. */
  FLOAT_D $ft1, 0x7ff8000000000001
  FLOAT_D $ft2, 0x7ff8000000000002
  FLOAT_D $ft3, 0x7ff8000000000003
  fmadd.d $ft4, $ft2, $ft3, $ft1
  movfr2gr.d $s0, $ft4
  CHECK "fa is the first of three quiet NaNs", $s0, 0x7ff8000000000001
  fadd.d $ft4, $ft2, $ft3
  movfr2gr.d $s0, $ft4
  CHECK "fj is the first of two", $s0, 0x7ff8000000000002
  FLOAT_D $ft2, 0xfff0000123456789
  fcvt.s.d $ft4, $ft2
  movfr2gr.s $s0, $ft4
  CHECK "fcvt.s.d of a signalling NaN: quiet, without the lower bits", $s0, 0xffffffffffc00009
  FLOAT_S $ft2, 0xff800001
  fcvt.d.s $ft4, $ft2
  movfr2gr.d $s0, $ft4
  CHECK "fcvt.d.s of a signalling NaN: quiet, with zeros below", $s0, 0xfff8000020000000
  FLOAT_S $ft2, 0x7f800000
  fsub.s $ft4, $ft2, $ft2
  movfr2gr.s $s0, $ft4
  CHECK "infinity less infinity is the default NaN", $s0, 0x7fc00000
  # Manual: 3.1.1.1, 3.1.1.2
  FLOAT_S $ft2, 0x00000001
  fcvt.d.s $ft4, $ft2
  movfr2gr.d $s0, $ft4
  CHECK "the least single is 2^-149", $s0, 0x36a0000000000000
  FLOAT_D $ft2, 0x0000000000000001
  flogb.d $ft4, $ft2
  movfr2gr.d $s0, $ft4
  CHECK "the least double is 2^-1074", $s0, 0xc090c80000000000
  # Manual: 3.1.3.1, 3.1.3.2
  li.d $t0, 0x1122334455667788
  movgr2fr.d $f31, $t0
  movgr2frh.w $f31, $zero
  movfr2gr.d $s0, $f31
  CHECK "movgr2frh.w keeps the lower half of f31", $s0, 0x55667788
  movgr2cf $fcc7, $t0
  movcf2gr $s0, $fcc7
  CHECK "a condition flag takes bit 0: 0", $s0, 0
  li.w $t0, 3
  movgr2cf $fcc7, $t0
  movcf2gr $s0, $fcc7
  CHECK "a condition flag takes bit 0: 1", $s0, 1
  # Manual: 3.1.3.3
  FCSR 0
  li.d $s5, -1
  movgr2fcsr $fcsr1, $s5
  movfcsr2gr $s0, $fcsr0
  CHECK_W "fcsr1 is Enables", $s0, 0x1f
  movgr2fcsr $fcsr3, $s5
  movfcsr2gr $s0, $fcsr0
  CHECK_W "fcsr3 is RM", $s0, 0x31f
  FORGET
  movgr2fcsr $fcsr2, $s5
  NOT_TRAPPED "writing Cause and Enables traps nothing"
  movfcsr2gr $s0, $fcsr0
  CHECK_W "fcsr2 is Cause and Flags", $s0, 0x1f1f031f
  # Manual: 3.1.4
  FCSR 0x8
  FORGET
  FLOAT_D $fa4, 0
  fmov.d $fa2, $fa0
  fdiv.d $fa2, $fa0, $fa4
  movfcsr2gr $s1, $fcsr0
  TRAPPED "an enabled exception traps", FPE
  CHECK "Cause tells why, Flags stay", $s1, 0x08000008
  movfr2gr.d $s0, $fa2
  CHECK "the destination stays", $s0, 0x4004000000000000
  FCSR 0
  csrwr $zero, EUEN
  FORGET
  fadd.d $fa2, $fa0, $fa0
  TRAPPED "without EUEN.FPE floating point raises FPD", FPD
  fld.d $fa2, $zero, 0
  TRAPPED "so does a load, before its address is looked at", FPD
  END_PROGRAM
