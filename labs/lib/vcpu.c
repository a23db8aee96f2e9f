/* Host mode and a new vCPU, as lab h1 makes them. */
#include "lab.h"

void host_mode(void) {
  csr_write(CSR_GSTAT, 0);
  csr_xchg(CSR_GTLBC, GTLBC_USETGID, GTLBC_USETGID | 0xff << GTLBC_TGID_SHIFT);
  __asm__ volatile("invtlb %0, $zero, $zero" : : "i"(INVTLB_ALL_GUESTS) : "memory");
}

/* A vCPU of a VM with the GID vm + 1, which begins at GUEST_START in direct address mode. */
void start_vcpu(struct vcpu *vcpu, unsigned vm) {
  vcpu->pc = GUEST_START;
  vcpu->table = physical(stage2[vm]);
  vcpu->gid = vm + 1;
  gcsr_write(CSR_CRMD, CRMD_DA);
}

/* Ecode of the last exit. */
u64 cause_of(const struct vcpu *vcpu) { return vcpu->estat >> 16 & 0x3f; }
