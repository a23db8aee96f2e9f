/* H5: two VMs. The first has two vCPUs, the second has one; they take turns on one CPU. */
#include "lab.h"

#define VCPUS 3
#define ROUNDS 3
#define A0 4
#define A1 5

/* The CSRs of a guest: there is one bank for all. ESTAT comes before the timer's, TCFG before TVAL. */
#define FOR_EACH_CSR(X) \
  X(CRMD) X(CPUID) X(PRMD) X(EUEN) X(MISC) X(ECFG) X(ESTAT) X(ERA) X(BADV) X(EENTRY) X(ASID) X(PGDL) X(PGDH) X(PWCL) X(PWCH) \
  X(STLBPS) X(SAVE0) X(SAVE1) X(SAVE2) X(SAVE3) X(TCFG) X(TVAL) X(TLBRENTRY) X(DMW0) X(DMW1) X(DMW2) X(DMW3)
#define COUNT(name) +1
#define CSRS (0 FOR_EACH_CSR(COUNT))

static struct vcpu vcpus[VCPUS];
static u64 csrs[VCPUS][CSRS]; /* of the vCPUs, while another one has the bank */
static const unsigned vm_of[VCPUS] = {0, 0, 1}, id_of[VCPUS] = {0, 1, 0};
static int owner = -1; /* the vCPU whose CSRs are in the bank */

/* A vCPU of a VM: each VM has a table and a GID of its own, and GID 0 is the host's. */
static void new_vcpu(unsigned n) {
  struct vcpu *v = &vcpus[n];
  unsigned vm = vm_of[n];
  v->table = physical(stage2[vm]);
  v->gid = vm + 1;
  v->pc = GUEST_START;
  v->regs[A0] = 'A' + n;
  csrs[n][0] = CRMD_DA;
  csrs[n][1] = id_of[n];
}

/* The bank goes to memory. */
static void save_bank(u64 *to) {
#define SAVE(name) *to++ = gcsr_read(CSR_##name);
  FOR_EACH_CSR(SAVE)
}

/* And comes from there. */
static void load_bank(const u64 *from) {
#define LOAD(name) gcsr_write(CSR_##name, *from++);
  FOR_EACH_CSR(LOAD)
}

/* Gives the bank to a vCPU, if another one has it. */
static void give_bank(int n) {
  if (owner == n) return;
  if (owner >= 0) save_bank(csrs[owner]);
  load_bank(csrs[n]);
  owner = n;
}

void lab_main(void) {
  host_mode();
  for (unsigned vm = 0; vm < VMS; vm++) {
    load_guest(vm);
    map_ram(vm);
  }
  for (unsigned n = 0; n < VCPUS; n++) new_vcpu(n);
  for (unsigned turn = 0; turn < ROUNDS * VCPUS; turn++) {
    unsigned n = turn % VCPUS;
    struct vcpu *v = &vcpus[n];
    give_bank(n);
    enter_guest(v);
    print("h5: VM ");
    print_number(vm_of[n] + 1);
    if (cause_of(v) != ECODE_HVC) {
      print(", exit, cause ");
      print_hex(cause_of(v));
      print("\n");
      break;
    }
    print(", vCPU ");
    print_char(v->regs[A0]);
    print(", count ");
    print_number(v->regs[A1]);
    print("\n");
    v->pc += 4;
  }
  print("h5: end\n");
  power_off();
}
