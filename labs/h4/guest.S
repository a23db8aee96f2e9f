/* The guest: loads and stores of every width at a device. hvcl 1 shows a0. */
#define DEVICE 0x30000000
#define VALUE 8

  .section .guest, "ax"
  .globl guest
guest:
  li.w $s0, DEVICE
  li.w $t3, 'h'
  st.b $t3, $s0, 0
  li.w $s5, 'i'
  st.b $s5, $s0, 0
  li.d $t0, 0x123456789abcfffe
  st.d $t0, $s0, VALUE
  .globl guest_loads
guest_loads:
  ld.d $a0, $s0, VALUE
  hvcl 1
  ld.bu $a0, $s0, VALUE
  hvcl 1
  ld.b $a0, $s0, VALUE
  hvcl 1
  ld.w $a1, $s0, VALUE
  move $a0, $a1
  hvcl 1
  st.h $t3, $s0, VALUE
  ld.hu $a0, $s0, VALUE
  hvcl 1
  ld.d $zero, $s0, VALUE
  st.d $zero, $s0, VALUE
  ld.d $a0, $s0, VALUE
  hvcl 1
  hvcl 0
