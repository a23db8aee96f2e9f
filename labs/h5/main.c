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
  /* HOLE 1: v->table, the physical address of the table of this vCPU's VM, and v->gid, the GID of its VM. */
  (void)vm;
  v->pc = GUEST_START;
  v->regs[A0] = 'A' + n;
  csrs[n][0] = CRMD_DA;
  csrs[n][1] = id_of[n];
}

/* The bank goes to memory. */
static void save_bank(u64 *to) {
  /* HOLE 2: gcsr_read of each CSR of the list to memory, in the order of the list. FOR_EACH_CSR helps. */
  (void)to;
}

/* And comes from there. */
static void load_bank(const u64 *from) {
  /* HOLE 3: gcsr_write of each CSR of the list, in the same order. */
  (void)from;
}

/* Gives the bank to a vCPU, if another one has it. */
static void give_bank(int n) {
  /* HOLE 4: nothing if vCPU n has the bank already (owner). Otherwise save the bank of its owner, if there is one, and load that of n. */
  (void)n, (void)owner, (void)save_bank, (void)load_bank;
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
