/* vCPU state that C code handles: first context, exchange of the guest CSR bank, pending interrupts, timer. */
#include "vm.h"

struct vcpu *hv_vcpus[MAX_VMS * MAX_VCPUS];
unsigned hv_vcpu_count;

#define ONE_SHOT_FIRED 0xfffffffffffful /* TVAL of a one-shot timer that has expired: all ones in 48 bits */
#define TCFG_EN 0x1
#define TCFG_PERIODIC 0x2
#define INVTLB_GID_STAGE1 0x13

/* A vCPU starts like a CPU after reset: direct address mode, interrupts off. */
void vcpu_start(struct vcpu *v, u64 entry) {
  v->pc = entry;
  v->gcsr[GCSR_SLOT_CRMD] = CRMD_DA;
  v->gcsr[GCSR_SLOT_STLBPS] = 12;
  v->gcsr[GCSR_SLOT_CPUID] = v->index;
  v->started = 1;
  smp_kick_idle();
}

/* The vCPUs of a VM. The first one starts, with a0 = GID, a1 = its command line, a2 = how many they are. */
void vcpu_init(struct vm *vm, u64 entry) {
  for (unsigned n = 0; n < vm->vcpu_count; n++) {
    struct vcpu *v = &vm->vcpus[n];
    v->vm = vm;
    v->index = n;
    v->gid = vm->gid;
    v->stage2_root = phys(vm->stage2);
    v->timer_deadline = ~0ul;
    hv_vcpus[hv_vcpu_count++] = v;
  }
  u64 text = GUEST_RAM_BASE + vm->memory - sizeof vm->append;
  memcpy(vm_pointer(vm, text), vm->append, sizeof vm->append);
  vm->vcpus[0].gpr[4] = vm->gid;
  vm->vcpus[0].gpr[5] = text;
  vm->vcpus[0].gpr[6] = vm->vcpu_count;
  vcpu_start(&vm->vcpus[0], entry);
}

/* Time has passed while the vCPU was parked, so its timer register must be updated. */
static void catch_up_timer(struct vcpu *v) {
  u64 *tval = &v->gcsr[GCSR_SLOT_TVAL], tcfg = v->gcsr[GCSR_SLOT_TCFG], passed = rdtime() - v->parked_at;
  if (!(tcfg & TCFG_EN) || *tval == ONE_SHOT_FIRED) return;
  if (*tval > passed) {
    *tval -= passed;
    return;
  }
  v->gcsr[GCSR_SLOT_ESTAT] |= IS_TIMER;
  u64 period = tcfg & ~3ul;
  *tval = tcfg & TCFG_PERIODIC && period ? period - (passed - *tval) % period : ONE_SHOT_FIRED;
}

/* Loads the vCPU into the guest CSR bank of this CPU. */
void vcpu_load(struct vcpu *v) {
  struct percpu *cpu = this_cpu();
  if (cpu->loaded == v) return;
  if (v->parked_at) catch_up_timer(v);
  _load_guest_csrs(v);
  /* The TLB may hold another vCPU's own translations under this GID, or old ones of this vCPU's from before it ran
   * elsewhere: GID and ASID are the same. */
  if (cpu->stage1_of[v->gid] != v || v->cpu != cpu_index())
    __asm__ volatile("invtlb %0, %1, $zero" : : "i"(INVTLB_GID_STAGE1), "r"(v->gid << 16) : "memory");
  cpu->stage1_of[v->gid] = v;
  cpu->loaded = v;
  v->cpu = cpu_index();
  v->loaded = 1;
}

/* Saves the bank, so that any CPU can continue the vCPU. */
void vcpu_put(struct vcpu *v) {
  _save_guest_csrs(v);
  v->parked_at = rdtime();
  v->loaded = 0;
  this_cpu()->loaded = 0;
}

/* Levels of the guest's interrupt lines on this vCPU: the UART's on the first, and what its EIOINTC routes here. */
static u64 lines_of(struct vcpu *v) { return v->lines | (v->index == 0 ? v->vm->lines : 0); }

/* Applies levels that others have changed, directly before entry. */
void vcpu_inject_pending(struct vcpu *v) {
  csr_xchg(CSR_GINTC, lines_of(v), 0xff);
  gcsr_xchg(CSR_ESTAT, v->ipi_status & v->ipi_enable ? IS_IPI : 0, IS_IPI);
  vtimer_expire(v);
}

/* An interrupt is pending that the guest has enabled: a vCPU that is not loaded can leave `idle`. */
int vcpu_pending(struct vcpu *v) {
  if (v->parked_at) {
    catch_up_timer(v);
    v->parked_at = rdtime();
  }
  u64 pending = v->gcsr[GCSR_SLOT_ESTAT] & 0x1c03;
  pending |= lines_of(v) << 2;
  if (v->ipi_status & v->ipi_enable) pending |= IS_IPI;
  if (vtimer_ticks(v) == 0) pending |= IS_TIMER;
  return (pending & v->gcsr[GCSR_SLOT_ECFG] & 0x1fff) != 0;
}

/* Ticks until the timer of a vCPU that is not loaded wakes it; all ones when it will not: one that is masked wakes nobody. */
u64 vcpu_ticks_to_timer(struct vcpu *v) {
  if (!(v->gcsr[GCSR_SLOT_ECFG] & IS_TIMER)) return ~0ul;
  u64 tval = v->gcsr[GCSR_SLOT_TVAL];
  if (soft_timer) return vtimer_ticks(v);
  return v->gcsr[GCSR_SLOT_TCFG] & TCFG_EN && tval != ONE_SHOT_FIRED ? tval : ~0ul;
}
