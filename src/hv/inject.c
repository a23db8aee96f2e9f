/* Exceptions and interrupts that the hypervisor injects into a guest. */
#include "vm.h"

/* Does in software what the hardware does to deliver an exception inside the guest. */
void inject_exception(struct vcpu *v, u64 ecode, u64 esubcode, u64 badv) {
  u64 crmd = gcsr_read(CSR_CRMD), vs = (gcsr_read(CSR_ECFG) >> 16) & 7;
  gcsr_write(CSR_PRMD, crmd & 7);
  gcsr_write(CSR_CRMD, crmd & ~7ul);
  gcsr_write(CSR_ERA, v->pc);
  gcsr_write(CSR_BADV, badv);
  gcsr_write(CSR_BADI, v->exit_badi);
  gcsr_xchg(CSR_ESTAT, ecode << 16 | esubcode << 22, 0x7fff0000);
  v->pc = gcsr_read(CSR_EENTRY) + (vs ? ecode * (4ul << vs) : 0);
}

/* Level of guest hardware interrupt `line` (0..7), which goes to vCPU 0: GINTC.HWIS drives G.ESTAT.IS[2 + line] from its
 * next entry on (vcpu_inject_pending). */
void inject_line(struct vm *vm, unsigned line, int level) {
  vm->lines = level ? vm->lines | 1ul << line : vm->lines & ~(1ul << line);
  if (level) smp_kick(&vm->vcpus[0]);
}
