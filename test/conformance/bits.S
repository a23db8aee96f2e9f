/* Bit operations (Vol. 1, 2.2.3). */
#include "conformance.h"
  PROGRAM "bit operations"
  li.d $s0, 0x0123456789abcdef
  revb.2h $s1, $s0
  CHECK "revb.2h", $s1, 0xffffffffab89efcd
  revb.4h $s1, $s0
  CHECK "revb.4h", $s1, 0x23016745ab89efcd
  revb.2w $s1, $s0
  CHECK "revb.2w", $s1, 0x67452301efcdab89
  revb.d $s1, $s0
  CHECK "revb.d", $s1, 0xefcdab8967452301
  revh.2w $s1, $s0
  CHECK "revh.2w", $s1, 0x45670123cdef89ab
  revh.d $s1, $s0
  CHECK "revh.d", $s1, 0xcdef89ab45670123
  bitrev.d $s1, $s0
  CHECK "bitrev.d", $s1, 0xf7b3d591e6a2c480
  bitrev.w $s1, $s0
  CHECK "bitrev.w", $s1, 0xfffffffff7b3d591
  bitrev.8b $s1, $s0
  CHECK "bitrev.8b", $s1, 0x80c4a2e691d5b3f7
  bitrev.4b $s1, $s0
  CHECK "bitrev.4b", $s1, 0xffffffff91d5b3f7
  clz.d $s1, $s0
  CHECK "clz.d", $s1, 7
  clz.d $s1, $zero
  CHECK "clz.d of 0", $s1, 64
  clz.w $s1, $zero
  CHECK "clz.w of 0", $s1, 32
  ctz.d $s1, $zero
  CHECK "ctz.d of 0", $s1, 64
  clo.w $s1, $s0
  CHECK "clo.w", $s1, 1
  cto.d $s1, $s0
  CHECK "cto.d", $s1, 4
  ext.w.b $s1, $s0
  CHECK "ext.w.b", $s1, -17
  ext.w.h $s1, $s0
  CHECK "ext.w.h", $s1, 0xffffffffffffcdef
  bstrpick.d $s1, $s0, 47, 16
  CHECK "bstrpick.d", $s1, 0x456789ab
  bstrpick.w $s1, $s0, 31, 0
  CHECK "bstrpick.w sign-extends a whole word", $s1, 0xffffffff89abcdef
  li.d $s1, -1
  bstrins.d $s1, $zero, 63, 63
  CHECK "bstrins.d of the top bit", $s1, 0x7fffffffffffffff
  li.d $s1, 0x1234567800000000
  bstrins.w $s1, $s0, 7, 0
  CHECK "bstrins.w sign-extends its word", $s1, 0xef
  li.d $s2, 0x1122334455667788
  bytepick.w $s1, $s2, $s0, 1
  CHECK "bytepick.w", $s1, 0xffffffffabcdef55
  bytepick.d $s1, $s2, $s0, 3
  CHECK "bytepick.d", $s1, 0x6789abcdef112233
  END_PROGRAM
