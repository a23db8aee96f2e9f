/* Hypercall ABI: hvcl 0x100, function in a0, argument in a1, result in a0 (0, or −1 for an unknown function).
 * The exit leaves PC on the hvcl; skipping it is the hypervisor's part. */
#include "vm.h"

#define HVCL_SERVICE 0x100
#define HYPERCALL_PUTCHAR 1
#define HYPERCALL_EXIT 2
#define HYPERCALL_YIELD 3

void handle_hypercall(struct vcpu *v) {
  v->pc += 4;
  if ((v->exit_badi & 0x7fff) != HVCL_SERVICE) {
    v->gpr[4] = -1;
    return;
  }
  u64 function = v->gpr[4], argument = v->gpr[5];
  v->gpr[4] = 0;
  switch (function) {
    case HYPERCALL_PUTCHAR:
      vm_console_putchar(v->vm, argument);
      return;
    case HYPERCALL_EXIT:
      vm_stop(v->vm, argument);
      return;
    case HYPERCALL_YIELD:
      percpu0.running = 0; /* the scheduler picks the next one */
      return;
    default:
      v->gpr[4] = -1;
  }
}
