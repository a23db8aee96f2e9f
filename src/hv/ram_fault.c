/* Stage-2 faults inside guest RAM: a logged page is stored to, or a released page is touched again. The instruction is
 * simply run again: PC stays. */
#include "vm.h"

/* @returns 1 when the fault was one of these. */
int handle_ram_fault(struct vcpu *v, u64 ecode) {
  struct vm *vm = v->vm;
  u64 page = v->exit_badv & ~(PAGE_SIZE - 1);
  if (!vm_pointer(vm, page)) return 0;
  if (ecode == ECODE_PME) {
    vm->dirty_pages++;
    stage2_protect(vm, page, PAGE_SIZE, PTE_GUEST_RAM);
    return 1;
  }
  if (stage2_lookup(vm, page)) return 0;
  stage2_map(vm, page, phys(page_alloc(PAGE_SIZE, PAGE_SIZE)), PAGE_SIZE, PTE_GUEST_RAM);
  return 1;
}
