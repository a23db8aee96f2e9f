/* vCPU state that C looks after: first context, exchange of the guest CSR bank, pending interrupts, timer. */
#include "vm.h"

struct vcpu *hv_vcpus[MAX_VMS];

#define ONE_SHOT_FIRED 0xfffffffffffful /* TVAL of a one-shot timer that has expired: all ones in 48 bits */
#define TCFG_EN 0x1
#define TCFG_PERIODIC 0x2

/* A guest starts like a CPU after reset: direct address mode, interrupts off; a0 = GID, a1 = its command line. */
void vcpu_init(struct vm *vm, u64 entry) {
  struct vcpu *v = &vm->vcpu;
  v->vm = vm;
  hv_vcpus[vm->gid - 1] = v;
  v->gid = vm->gid;
  v->stage2_root = phys(vm->stage2);
  v->pc = entry;
  v->gcsr[GCSR_SLOT_CRMD] = CRMD_DA;
  v->gcsr[GCSR_SLOT_STLBPS] = 12;
  u64 text = GUEST_RAM_BASE + vm->memory - sizeof vm->append;
  memcpy(vm_pointer(vm, text), vm->append, sizeof vm->append);
  v->gpr[4] = vm->gid;
  v->gpr[5] = text;
}

/* Time has gone on while the vCPU was parked; its timer register has not. */
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

/* Makes the guest CSR bank this vCPU's. */
void vcpu_load(struct vcpu *v) {
  if (percpu0.loaded == v) return;
  if (percpu0.loaded) {
    _save_guest_csrs(percpu0.loaded);
    percpu0.loaded->parked_at = rdtime();
  }
  if (v->parked_at) catch_up_timer(v);
  _load_guest_csrs(v);
  csr_xchg(CSR_GINTC, v->vm->lines, 0xff);
  percpu0.loaded = v;
}

/* An interrupt is pending that the guest has enabled: it can leave `idle`. */
int vcpu_pending(struct vcpu *v) {
  vcpu_load(v);
  return (gcsr_read(CSR_ESTAT) & gcsr_read(CSR_ECFG) & 0x1fff) != 0;
}

/* Ticks until the guest's timer fires; all ones when it will not. */
u64 vcpu_ticks_to_timer(struct vcpu *v) {
  vcpu_load(v);
  u64 tval = gcsr_read(CSR_TVAL);
  return gcsr_read(CSR_TCFG) & TCFG_EN && tval != ONE_SHOT_FIRED ? tval : ~0ul;
}
