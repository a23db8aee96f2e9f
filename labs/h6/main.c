/* H6: a guest with its own paging. The host only looks: at what the guest says, and at the memory behind its addresses. */
#include "lab.h"

#define DATA_GPA 0x310008ul
#define A0 4

static struct vcpu vcpu;

void lab_main(void) {
  host_mode();
  load_guest(0);
  map_ram(0);
  start_vcpu(&vcpu, 0);
  for (;;) {
    enter_guest(&vcpu);
    if (cause_of(&vcpu) != ECODE_HVC) {
      print("h6: exit, cause ");
      print_hex(cause_of(&vcpu));
      print("\n");
      break;
    }
    u64 code = vcpu.badi & 0x7fff;
    if (code == 0) break;
    print(code == 1 ? "h6: the guest reads " : "h6: an exception in the guest, cause ");
    print_hex(vcpu.regs[A0]);
    print("\n");
    if (code == 2) break;
    print("h6: at its physical address is ");
    print_hex(*(u64 *)(WINDOW_CACHED | (VM_RAM(0) + DATA_GPA)));
    print("\n");
    vcpu.pc += 4;
  }
  print("h6: end\n");
  power_off();
}
