/* H2: stage-2 faults. RAM is mapped when the guest uses it first; a store to a device is emulated. */
#include "lab.h"

#define RAM_FIRST 0x600000ul
#define RAM_END 0xa00000ul
#define UART_GPA 0x1fe001e0ul
#define A0 4

static struct vcpu vcpu;

/* Maps a block of guest-physical addresses to a block of RAM: both addresses are multiples of BLOCK. */
static void map_block(u64 gpa, u64 hpa) {
  /* HOLE 1: the entry of the VM's table, stage2[0], for this address: the frame, and the flags PTE_RAM. */
  (void)gpa, (void)hpa;
}

/* Removes what the TLB has of a guest-physical address: a refill has put it there. */
static void invalidate(u64 gid, u64 gpa) {
  /* HOLE 2: invtlb 0x16 (INVTLB_GPA) with the GID in bits 23:16 of the first register and the address in the second. */
  (void)gid, (void)gpa;
}

/* The guest has used RAM that is not mapped: what must be done so that the same instruction can run again? */
static void fault_in_ram(struct vcpu *v, u64 gpa) {
  /* HOLE 3: map the block with this address to the same place in VM_RAM(0), and make the TLB forget the old entry.
   * Then the guest must execute the same instruction again. */
  (void)v, (void)gpa, (void)invalidate;
  print(": mapped\n");
}

/* The guest has stored the byte in a0 to the device: there is nothing to map. */
static void store_to_uart(struct vcpu *v) {
  print(": printed '");
  print_char(v->regs[A0]);
  print("'\n");
  /* HOLE 4: the store is done. Where does the guest go on? */
}

void lab_main(void) {
  host_mode();
  load_guest(0);
  map_block(GUEST_START, VM_RAM(0) + GUEST_START);
  start_vcpu(&vcpu, 0);
  for (;;) {
    enter_guest(&vcpu);
    u64 cause = cause_of(&vcpu), gpa = vcpu.badv;
    if (cause == ECODE_HVC) break;
    print(cause == ECODE_PIL ? "h2: PIL" : cause == ECODE_PIS ? "h2: PIS" : cause == ECODE_PIF ? "h2: PIF" : "h2: exit");
    print(" at ");
    print_hex(gpa);
    if (cause != ECODE_PIL && cause != ECODE_PIS) {
      print("\n");
      break;
    }
    if (gpa >= RAM_FIRST && gpa < RAM_END) fault_in_ram(&vcpu, gpa);
    if (gpa == UART_GPA) store_to_uart(&vcpu);
  }
  print("h2: end\n");
  power_off();
}
