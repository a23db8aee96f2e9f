/* H2: stage-2 faults. RAM is mapped when the guest uses it first; a store to a device is emulated. */
#include "lab.h"

#define RAM_FIRST 0x600000ul
#define RAM_END 0xa00000ul
#define UART_GPA 0x1fe001e0ul
#define A0 4

static struct vcpu vcpu;

/* Maps a block of guest-physical addresses to a block of RAM: both addresses are multiples of BLOCK. */
static void map_block(u64 gpa, u64 hpa) {
  stage2[0][gpa >> BLOCK_SHIFT] = hpa | PTE_RAM;
}

/* Removes what the TLB has of a guest-physical address: a refill has put it there. */
static void invalidate(u64 gid, u64 gpa) {
  __asm__ volatile("invtlb %0, %1, %2" : : "i"(INVTLB_GPA), "r"(gid << 16), "r"(gpa) : "memory");
}

/* The guest has used RAM that is not mapped: what must be done so that the same instruction can run again? */
static void fault_in_ram(struct vcpu *v, u64 gpa) {
  u64 block = gpa & ~(BLOCK - 1);
  map_block(block, VM_RAM(0) + block);
  invalidate(v->gid, gpa);
  print(": mapped\n");
}

/* The guest has stored the byte in a0 to the device: there is nothing to map. */
static void store_to_uart(struct vcpu *v) {
  print(": printed '");
  print_char(v->regs[A0]);
  print("'\n");
  v->pc += 4;
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
