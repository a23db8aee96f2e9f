/* GSPR exits: the guest has accessed a privileged or sensitive resource. BADI is the instruction word. */
#include "vm.h"

/* Not for guests: nesting (LVZ), and floating point, whose registers this hypervisor does not switch. */
#define CPUCFG2_HIDDEN (0xf << 10 | 0x3f)

static void set_gpr(struct vcpu *v, unsigned r, u64 value) {
  if (r) v->gpr[r] = value;
}

void handle_gspr(struct vcpu *v) {
  u32 word = v->exit_badi;
  unsigned rd = word & 31, rj = (word >> 5) & 31;
  if (word >> 10 == 0x1b) { /* cpucfg rd, rj: the words of the host, without features that guests do not get */
    u64 index = v->gpr[rj];
    u32 value = index < 32 ? cpucfg(index) : 0;
    set_gpr(v, rd, index == 2 ? value & ~CPUCFG2_HIDDEN : value);
  } else if (word >> 24 == 0x04) { /* csrrd, csrwr, csrxchg outside the guest bank: reads 0, ignores writes */
    unsigned csr = (word >> 10) & 0x3fff;
    if (soft_timer && csr >= CSR_TID && csr <= CSR_TICLR) vtimer_access(v, csr, rd, rj);
    else set_gpr(v, rd, 0);
  } else if (word >> 22 == 0x18) { /* cacop: a guest must not change the caches of the host */
  } else if (word >> 15 == 0xc90) { /* iocsrrd (bit 12 clear) and iocsrwr, by size */
    unsigned size = 1u << ((word >> 10) & 3);
    if (word & 0x1000) viocsr_write(v, v->gpr[rj], size, rd ? v->gpr[rd] : 0);
    else set_gpr(v, rd, viocsr_read(v, v->gpr[rj], size));
  } else if (word >> 15 == 0xc91) { /* idle: wait until an interrupt is pending */
    v->halted = 1;
  } else {
    inject_exception(v, ECODE_INE, 0, 0);
    return;
  }
  v->pc += 4;
}
