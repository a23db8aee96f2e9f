/* H1: detect LVZ, become a host, enter a guest, and answer its hypercalls. */
#include "lab.h"

#define CPUCFG2_LVZ (1 << 10)
#define CPUCFG2_LVZ_VERSION 11
#define LAST_CALL 3

static struct vcpu vcpu;

/* Step 1, detect LVZ: its version, 0 without it. */
static unsigned lvz_version(void) {
  u32 word = cpucfg(2);
  return word & CPUCFG2_LVZ ? word >> CPUCFG2_LVZ_VERSION & 7 : 0;
}

/* Step 2, host mode. */
void host_mode(void) {
  csr_write(CSR_GSTAT, 0);
  csr_xchg(CSR_GTLBC, GTLBC_USETGID, GTLBC_USETGID | 0xff << GTLBC_TGID_SHIFT);
  __asm__ volatile("invtlb %0, $zero, $zero" : : "i"(INVTLB_ALL_GUESTS) : "memory");
}

/* Steps 3 and 4, a VM and its context. */
void start_vcpu(struct vcpu *v, unsigned vm) {
  v->table = physical(stage2[vm]);
  v->gid = vm + 1;
  v->pc = GUEST_START;
  gcsr_write(CSR_CRMD, CRMD_DA);
}

/* Step 5, the hypercall. Returns its code. */
static u64 hypercall(struct vcpu *v) {
  v->pc += 4;
  return v->badi & 0x7fff;
}

void lab_main(void) {
  unsigned version = lvz_version();
  if (!version) {
    print("h1: this CPU has no LVZ\n");
    power_off();
  }
  print("h1: LVZ version ");
  print_number(version);
  host_mode();
  load_guest(0);
  map_ram(0);
  start_vcpu(&vcpu, 0);
  for (;;) {
    enter_guest(&vcpu);
    u64 cause = vcpu.estat >> 16 & 0x3f;
    print("\nh1: exit, cause ");
    print_hex(cause);
    if (cause != ECODE_HVC) break;
    u64 code = hypercall(&vcpu);
    print(", hypercall ");
    print_number(code);
    if (code >= LAST_CALL) break;
  }
  print("\nh1: end\n");
  power_off();
}
