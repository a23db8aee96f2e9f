/* The guest: memory that is not mapped yet, and a device. */
#define RAM 0x600000
#define MORE_RAM 0x800000
#define UART 0x1fe001e0

  .section .guest, "ax"
  .globl guest
guest:
  li.w $t0, RAM
  li.w $t1, 'Z'
  .globl guest_store
guest_store:
  st.d $t1, $t0, 8
  ld.d $a0, $t0, 8
  li.w $t0, UART
  .globl guest_device
guest_device:
  st.b $a0, $t0, 0
  li.w $t0, MORE_RAM
  ld.d $a0, $t0, 0
  addi.d $a0, $a0, '0'
  li.w $t0, UART
  st.b $a0, $t0, 0
  hvcl 0
