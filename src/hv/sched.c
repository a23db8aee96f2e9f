/* One CPU, round robin: each guest runs until it yields, idles or its slice ends with the host timer. */
#include "vm.h"

#define SLICE_TICKS 1000000ul /* 10 ms at 100 MHz */
#define TCFG_EN 1ul

static void arm_timer(u64 ticks) {
  csr_write(CSR_TICLR, 1);
  csr_write(CSR_TCFG, (ticks & ~3ul) | TCFG_EN);
}

/* Is there a guest that can run? `next` receives the time until the first timer of those that wait. */
static struct vcpu *pick(unsigned *turn, u64 *next) {
  *next = ~0ul;
  for (unsigned i = 0; i < vm_count; i++) {
    struct vm *vm = &vms[(*turn + i) % vm_count];
    if (!vm->running) continue;
    if (vm->vcpu.halted && vcpu_pending(&vm->vcpu)) vm->vcpu.halted = 0;
    if (!vm->vcpu.halted) {
      *turn = (*turn + i + 1) % vm_count;
      return &vm->vcpu;
    }
    u64 ticks = vcpu_ticks_to_timer(&vm->vcpu);
    if (ticks < *next) *next = ticks;
  }
  return 0;
}

static int any_running(void) {
  for (unsigned i = 0; i < vm_count; i++)
    if (vms[i].running) return 1;
  return 0;
}

void run_all(void) {
  unsigned turn = 0;
  while (any_running()) {
    u64 next;
    struct vcpu *v = pick(&turn, &next);
    if (!v) {
      if (next == ~0ul) panic("every guest waits for an interrupt that cannot come");
      arm_timer(next + 4);
      __asm__ volatile("idle 0" ::: "memory");
      continue;
    }
    arm_timer(SLICE_TICKS);
    percpu0.running = v;
    while (percpu0.running && v->vm->running && !v->halted) {
      vcpu_load(v);
      _run_guest(v);
      handle_exit(v);
    }
  }
}
