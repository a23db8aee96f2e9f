/* Several vCPUs: starting them by mailbox, inter-processor interrupts, shared memory, translations of their own behind the
 * same address, and pages that the hypervisor takes away while another vCPU uses them. With append=soak:N each vCPU makes
 * N checked world switches. Run it with vcpus=2 or more, on one CPU or several. */
#include "../lib/guest.h"

#define MAX 4
#define PAGE 4096
#define ALIAS 0xffffffffc0000000ul /* the same virtual address on every vCPU */
#define CRMD_PAGED 0x10
#define DMW_SELF 0x11 /* segment 0 at its own addresses, PLV0, cached */
#define ADDS 20000
#define PINGS 20

char secondary_stacks[MAX][PAGE] __attribute__((aligned(16)));
static u8 own_page[MAX][2 * PAGE] __attribute__((aligned(2 * PAGE)));
static volatile u64 shared_page[PAGE / 8] __attribute__((aligned(PAGE)));

extern char secondary_start[], smp_refill[];
extern u64 guest_vcpus;
u64 checked_call(u64 seed);

static volatile u64 phase, done[MAX], counter, plain, spin, pings[MAX], seen, wrong;
static u64 soak_rounds;

static u64 self(void) { return csr_read(CSR_CPUID); }
static void barrier(void) { __asm__ volatile("dbar 0" ::: "memory"); }
static void atomic_add(volatile u64 *p, u64 v) { __asm__ volatile("amadd_db.d $zero, %0, %1" : : "r"(v), "r"(p) : "memory"); }

/* A lock made of ll and sc protects a sum that is not atomic. */
static void locked_add(u64 v) {
  u64 t;
  __asm__ volatile(
      "1: ll.d %0, %1, 0\n  bnez %0, 1b\n  ori %0, $zero, 1\n  sc.d %0, %1, 0\n  beqz %0, 1b\n" : "=&r"(t) : "r"(&spin) : "memory");
  plain += v;
  barrier();
  spin = 0;
}

/* An inter-processor interrupt: it is counted, and vCPU 0 gets one back. */
void guest_exception(u64 estat, u64 era, u64 badv) {
  (void)era, (void)badv;
  u64 me = self();
  if (estat & IS_IPI) {
    iocsr_write32(IOCSR_IPI_CLEAR, iocsr_read32(IOCSR_IPI_STATUS));
    pings[me]++;
    if (me) ipi_send(0, 1);
  }
}

/* Prepares the translation and the interrupts of this vCPU. */
static void set_up(u64 me) {
  extern char guest_vector[];
  csr_write(CSR_DMW0, DMW_SELF);
  csr_write(CSR_STLBPS, 12);
  csr_write(CSR_TLBRENTRY, (u64)smp_refill);
  csr_write(CSR_SAVE4, (u64)own_page[me]);
  csr_write(CSR_EENTRY, (u64)guest_vector);
  csr_xchg(CSR_CRMD, CRMD_PAGED, CRMD_PAGED | CRMD_DA);
  csr_write(CSR_ECFG, IS_IPI);
  iocsr_write32(IOCSR_IPI_ENABLE, ~0u);
  csr_xchg(CSR_CRMD, CRMD_IE, CRMD_IE);
}

/* A barrier: all vCPUs arrive before one continues. Only vCPU 0 prints, between phases. */
static void meet(u64 n) {
  done[self()] = n;
  barrier();
  if (self() == 0) {
    for (u64 k = 1; k < guest_vcpus; k++)
      while (done[k] != n) hypercall(HYPERCALL_YIELD, 0);
    phase = n;
  } else
    while (phase < n) hypercall(HYPERCALL_YIELD, 0);
  barrier();
}

static void report(const char *what, int good) {
  put("smp: ");
  put(good ? "ok   " : "FAIL ");
  put(what);
  put("\n");
  if (!good) wrong++;
}

static u64 pattern(u64 me, u64 i) { return (me + 1) * 0x0101010101010101ul + i * 0x9e3779b97f4a7c15ul; }

/* N world switches. Each checks every register, the vCPU's own page, and a CSR. */
static u64 soak(u64 me) {
  volatile u64 *own = (volatile u64 *)ALIAS;
  u64 bad = 0;
  for (u64 i = 0; i < PAGE / 8; i++) own[i] = pattern(me, i);
  for (u64 round = 0; round < soak_rounds; round++) {
    csr_write(CSR_SAVE5, round * 3 + me);
    bad += checked_call(pattern(me, round));
    u64 i = (round * 61) & (PAGE / 8 - 1);
    bad += own[i] != pattern(me, i);
    bad += csr_read(CSR_SAVE5) != round * 3 + me;
    bad += csr_read(CSR_CPUID) != me;
  }
  return bad;
}

/* Every vCPU does this; vCPU 0 prints the results. */
static void work(u64 me) {
  volatile u64 *own = (volatile u64 *)ALIAS;
  meet(1);
  for (u64 i = 0; i < PAGE / 8; i++) own[i] = pattern(me, i);
  for (u64 i = 0; i < ADDS; i++) {
    atomic_add(&counter, 1);
    if (i % 64 == 0) locked_add(1);
    if (i % 1024 == 0) hypercall(HYPERCALL_YIELD, 0);
  }
  meet(2);
  u64 bad = 0;
  for (u64 i = 0; i < PAGE / 8; i++) bad += own[i] != pattern(me, i);
  if (bad) atomic_add(&wrong, bad);
  meet(3);
  /* vCPU 0 unmaps the shared page while the others have it in their TLBs. */
  if (me) {
    meet(4);
    while (shared_page[7] == 7) hypercall(HYPERCALL_YIELD, 0);
    atomic_add(&seen, shared_page[7] == 0);
  }
  meet(5);
  if (me) shared_page[me] = me; /* stores that the hypervisor logs */
  meet(6);
  atomic_add(&wrong, soak(me));
  meet(7);
}

void secondary_main(u64 me) {
  set_up(me);
  work(me);
}

static u64 number(const char *text) {
  u64 v = 0;
  while (*text >= '0' && *text <= '9') v = v * 10 + (*text++ - '0');
  return v;
}

void guest_main(u64 gid, const char *append) {
  (void)gid;
  if (append[0] == 's' && append[4] == ':') soak_rounds = number(append + 5);
  set_up(0);
  for (u64 k = 1; k < guest_vcpus; k++) {
    mail_send(k, (u64)secondary_start);
    ipi_send(k, 0);
  }
  meet(1);
  report("secondary vCPUs start by mailbox", 1);
  volatile u64 *own = (volatile u64 *)ALIAS;
  for (u64 i = 0; i < PAGE / 8; i++) own[i] = pattern(0, i);
  for (u64 i = 0; i < ADDS; i++) {
    atomic_add(&counter, 1);
    if (i % 64 == 0) locked_add(1);
    if (i % 1024 == 0) hypercall(HYPERCALL_YIELD, 0);
  }
  meet(2);
  report("atomic additions of all vCPUs", counter == ADDS * guest_vcpus);
  report("additions under a lock of ll and sc", plain == (ADDS + 63) / 64 * guest_vcpus);
  u64 bad = 0;
  for (u64 i = 0; i < PAGE / 8; i++) bad += own[i] != pattern(0, i);
  meet(3);
  report("one address, a page for each vCPU", bad == 0 && wrong == 0);
  u64 first = pings[0]; /* the interrupt that started each vCPU was answered too */
  for (u64 n = 0; n < PINGS; n++)
    for (u64 k = 1; k < guest_vcpus; k++) {
      u64 before = pings[0];
      ipi_send(k, 2);
      while (pings[0] == before) hypercall(HYPERCALL_YIELD, 0);
    }
  report("inter-processor interrupts and their answers", pings[0] - first == PINGS * (guest_vcpus - 1));
  shared_page[7] = 7;
  meet(4);
  hypercall(HYPERCALL_YIELD, 0);
  hypercall(HYPERCALL_RELEASE, (u64)shared_page);
  meet(5);
  report("a page that is taken away is gone for all vCPUs", seen == guest_vcpus - 1);
  hypercall(HYPERCALL_LOG_DIRTY, (u64)shared_page);
  meet(6);
  bad = 0;
  for (u64 k = 1; k < guest_vcpus; k++) bad += shared_page[k] != k;
  report("stores of all vCPUs to a logged page", bad == 0);
  atomic_add(&wrong, soak(0));
  meet(7);
  if (soak_rounds) report("checked world switches", wrong == 0);
  finish(wrong != 0);
}
