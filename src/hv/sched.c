/* Round robin over all vCPUs on all CPUs: each runs until it yields, idles or its slice ends with the host timer, and may
 * go on on another CPU. The lock is held except in a guest and while a CPU waits. */
#include "vm.h"

#define SLICE_TICKS 1000000ul /* 10 ms at 100 MHz */
#define TCFG_EN 1ul
#define NEVER ~0ul

static unsigned turn;

static void arm_timer(u64 ticks) {
  csr_write(CSR_TICLR, 1);
  csr_write(CSR_TCFG, ticks == NEVER ? 0 : (ticks & ~3ul) | TCFG_EN);
}

/* The next vCPU that can run and that no other CPU runs. `next`: ticks until a timer of one that
 * waits; `elsewhere`: another CPU runs one. */
static struct vcpu *pick(u64 *next, int *elsewhere) {
  struct vcpu *own = this_cpu()->loaded;
  *next = NEVER;
  *elsewhere = 0;
  for (unsigned i = 0; i < hv_vcpu_count; i++) {
    unsigned n = (turn + i) % hv_vcpu_count;
    struct vcpu *v = hv_vcpus[n];
    if (!v->vm->running || !v->started) continue;
    if (v->loaded && v != own) {
      *elsewhere = 1;
      continue;
    }
    if (v->halted && vcpu_pending(v)) v->halted = 0;
    if (!v->halted) {
      turn = (n + 1) % hv_vcpu_count;
      return v;
    }
    u64 ticks = vcpu_ticks_to_timer(v);
    if (ticks < *next) *next = ticks;
  }
  return 0;
}

static int any_running(void) {
  for (unsigned i = 0; i < vm_count; i++)
    if (vms[i].running) return 1;
  return 0;
}

/* Until there is something to run: a timer of a vCPU that waits, or another CPU's IPI. */
static void wait(u64 next) {
  struct percpu *cpu = this_cpu();
  arm_timer(next == NEVER ? NEVER : next + 4);
  cpu->idle = 1;
  hv_unlock();
  __asm__ volatile("idle 0" ::: "memory");
  hv_lock();
  cpu->idle = 0;
  if (csr_read(CSR_ESTAT) & IS_IPI) smp_ipi_received();
}

/* The time slice of a vCPU. */
static void run(struct vcpu *v) {
  struct percpu *cpu = this_cpu();
  u64 due = vtimer_ticks(v);
  arm_timer(due < SLICE_TICKS ? due + 4 : SLICE_TICKS);
  cpu->running = v;
  while (cpu->running && v->vm->running && !v->halted) {
    vcpu_inject_pending(v);
    hv_unlock();
    _run_guest(v);
    hv_lock();
    handle_exit(v);
  }
}

void schedule(void) {
  struct percpu *cpu = this_cpu();
  hv_lock();
  while (any_running()) {
    u64 next;
    int elsewhere;
    /* The state of a waiting vCPU is in its context, not in the bank. */
    if (cpu->loaded && (cpu->loaded->halted || !cpu->loaded->vm->running)) vcpu_put(cpu->loaded);
    struct vcpu *v = pick(&next, &elsewhere);
    if (cpu->loaded && cpu->loaded != v) {
      vcpu_put(cpu->loaded);
      smp_kick_idle();
    }
    if (v) {
      vcpu_load(v);
      run(v);
    } else {
      if (next == NEVER && !elsewhere) panic("every guest waits for an interrupt that cannot come");
      wait(next);
    }
  }
  hv_unlock();
}
