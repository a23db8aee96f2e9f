/* A guest timer without the hardware's (command line word `softtimer`): GCFG.TIT makes the guest's timer CSRs exit, the
 * count is kept here, and the host's timer brings the CPU back when it is due. */
#include "vm.h"

int soft_timer;

#define TCFG_EN 1ul
#define TCFG_PERIODIC 2ul
#define ALL_ONES 0xfffffffffffful

static u64 period(struct vcpu *v) { return v->timer_tcfg & ~3ul; }

/* Raises TI in the bank when the vCPU's timer is due; its CSRs are loaded. */
void vtimer_expire(struct vcpu *v) {
  u64 now = rdtime();
  if (!soft_timer || now < v->timer_deadline) return;
  gcsr_xchg(CSR_ESTAT, IS_TIMER, IS_TIMER);
  if (v->timer_tcfg & TCFG_PERIODIC && period(v)) {
    while (v->timer_deadline <= now) v->timer_deadline += period(v);
  } else {
    v->timer_deadline = ~0ul;
    v->timer_count = ALL_ONES;
  }
}

/* Ticks until it is due; all ones when it is not running. */
u64 vtimer_ticks(struct vcpu *v) {
  u64 now = rdtime();
  if (!soft_timer || v->timer_deadline == ~0ul) return ~0ul;
  return v->timer_deadline > now ? v->timer_deadline - now : 0;
}

static u64 read(struct vcpu *v, unsigned csr) {
  switch (csr) {
    case CSR_TCFG: return v->timer_tcfg;
    case CSR_TVAL: return v->timer_deadline == ~0ul ? v->timer_count : vtimer_ticks(v);
    case CSR_TID: return gcsr_read(CSR_TID);
    case CSR_CNTC: return gcsr_read(CSR_CNTC);
    default: return 0;
  }
}

static void write(struct vcpu *v, unsigned csr, u64 value) {
  switch (csr) {
    case CSR_TCFG:
      v->timer_count = read(v, CSR_TVAL);
      v->timer_tcfg = value;
      v->timer_deadline = value & TCFG_EN ? rdtime() + period(v) : ~0ul;
      return;
    case CSR_TICLR:
      if (value & 1) gcsr_xchg(CSR_ESTAT, 0, IS_TIMER);
      return;
    case CSR_TID: gcsr_write(CSR_TID, value); return;
    case CSR_CNTC: gcsr_write(CSR_CNTC, value); return;
  }
}

/* csrrd, csrwr and csrxchg of a timer CSR; rj is 0, 1 or the register of the mask. */
void vtimer_access(struct vcpu *v, unsigned csr, unsigned rd, unsigned rj) {
  u64 old = read(v, csr), value = rd ? v->gpr[rd] : 0;
  if (rj == 1) write(v, csr, value);
  else if (rj > 1) write(v, csr, (old & ~v->gpr[rj]) | (value & v->gpr[rj]));
  if (rd) v->gpr[rd] = old;
}
