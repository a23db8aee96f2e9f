/* Handles an exit by its cause (R.ESTAT.Ecode). */
#include "vm.h"

/* An instruction fetch outside guest RAM: there is nothing to emulate. Usually a vector that was never set. */
static void fetch_fault(struct vcpu *v) {
  vm_console_flush(v->vm);
  console_printf("hv: guest %s died: fetch from GPA %x, which is not guest RAM\n", v->vm->name, v->exit_badv);
  console_printf("hv:   guest PC %x, G.ESTAT %x, G.ERA %x, G.EENTRY %x, G.TLBRENTRY %x\n", v->pc,
                 gcsr_read(CSR_ESTAT), gcsr_read(CSR_ERA), gcsr_read(CSR_EENTRY), gcsr_read(CSR_TLBRENTRY));
  vm_stop(v->vm, 139);
}

/* A host interrupt: the timer ends the time slice. An IPI only has to bring the CPU back to the hypervisor. */
static void interrupt(struct vcpu *v) {
  if (v->exit_estat & IS_IPI) smp_ipi_received();
  if (v->exit_estat & IS_TIMER) {
    csr_write(CSR_TICLR, 1);
    this_cpu()->running = 0;
  }
}

void handle_exit(struct vcpu *v) {
  u64 ecode = (v->exit_estat >> 16) & 0x3f;
  v->exits++;
  v->vm->exits_by_ecode[ecode]++;
  switch (ecode) {
    case ECODE_INT:
      interrupt(v);
      break;
    case ECODE_PIF:
    case ECODE_PNX:
      if (!handle_ram_fault(v, ecode)) fetch_fault(v);
      break;
    case ECODE_PIL:
    case ECODE_PIS:
    case ECODE_PME:
    case ECODE_PNR:
      if (!handle_ram_fault(v, ecode)) handle_mmio(v);
      break;
    case ECODE_GSPR:
      handle_gspr(v);
      break;
    case ECODE_HVC:
      handle_hypercall(v);
      break;
    default: /* a unit that the host has disabled: it does not exist for the guest */
      inject_exception(v, ECODE_INE, 0, 0);
  }
}
