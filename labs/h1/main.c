/* H1: detect LVZ, become a host, enter a guest, and answer its hypercalls. */
#include "lab.h"

#define LAST_CALL 3

static struct vcpu vcpu;

/* Step 1, detect LVZ: its version, 0 without it. */
static unsigned lvz_version(void) {
  /* HOLE 1: read CPUCFG word 2 with cpucfg(2). Return 0 when bit 10 is clear, otherwise bits 13:11. */
  return 0;
}

/* Step 2, host mode. */
void host_mode(void) {
  /* HOLE 2: GSTAT = 0: no guest yet. GTLBC: USETGID = 1 and TGID = 0, with csr_xchg, so that a refill can fill entries of a guest.
   * Then `invtlb 0x12` (INVTLB_ALL_GUESTS): no entry of a guest is left from before. */
}

/* Steps 3 and 4, a VM and its context. */
void start_vcpu(struct vcpu *v, unsigned vm) {
  /* HOLE 3: fill in v->table (physical address of stage2[vm]), v->gid (vm + 1: 0 is the host's) and v->pc (GUEST_START).
   * The guest begins in direct address mode: CRMD.DA of its bank, with gcsr_write. */
  (void)v, (void)vm;
}

/* Step 5, the hypercall. Returns its code. */
static u64 hypercall(struct vcpu *v) {
  /* HOLE 6: the code of the hypercall is in bits 14:0 of v->badi. PC is still on the hvcl: what must come next? */
  (void)v;
  return 0;
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
