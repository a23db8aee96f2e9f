/* Hypercall ABI: hvcl 0x100, function in a0, argument in a1, result in a0 (0, or −1 for an unknown function).
 * The exit leaves PC on the hvcl; the hypervisor must skip it. */
#include "vm.h"

#define HVCL_SERVICE 0x100
#define HYPERCALL_PUTCHAR 1
#define HYPERCALL_EXIT 2
#define HYPERCALL_YIELD 3
#define HYPERCALL_LOG_DIRTY 4
#define HYPERCALL_RELEASE 5

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
      this_cpu()->running = 0; /* the scheduler picks the next one */
      return;
    case HYPERCALL_LOG_DIRTY: /* the next store to this page is noticed */
    case HYPERCALL_RELEASE:   /* the guest gives this page back; the next access gets a new page */
      argument &= ~(PAGE_SIZE - 1);
      if (!vm_pointer(v->vm, argument)) v->gpr[4] = -1;
      else if (function == HYPERCALL_RELEASE) stage2_unmap(v->vm, argument, PAGE_SIZE);
      else stage2_protect(v->vm, argument, PAGE_SIZE, PTE_LOGGED);
      return;
    default:
      v->gpr[4] = -1;
  }
}
