/* Several CPUs: the lock, starting the others by mailbox and IPI, kicks, and TLB flushes on all of them.
 *
 * Host code runs with interrupts off. A CPU in a guest leaves it for an IPI; one that waits, for the lock or in the
 * scheduler, looks at flush requests itself. So a request never waits for a CPU that cannot answer. */
#include "vm.h"

struct percpu percpus[MAX_CPUS];
/* Stacks of the other CPUs, by CPU number (boot.S). */
char secondary_stacks[MAX_CPUS][0x4000] __attribute__((aligned(16)));
extern char _start_secondary[];

#define IPI_ACTION 0 /* the only IPI action: check for work */
#define INVTLB_GID_GPA 0x16
#define INVTLB_GID_STAGE2 0x14

static u32 lock;
/* The requested flush. The requesting CPU holds the lock until all have answered. */
static struct {
  u64 number, gid, gpa, size;
} request;

static void barrier(void) { __asm__ volatile("dbar 0" ::: "memory"); }

/* Stale entries of a guest: page pairs by address, or all of the GID. */
static void flush(u64 gid, u64 gpa, u64 size) {
  gid <<= 16;
  if (size <= 16 * PAGE_SIZE)
    for (u64 a = gpa; a < gpa + size; a += PAGE_SIZE)
      __asm__ volatile("invtlb %0, %1, %2" : : "i"(INVTLB_GID_GPA), "r"(gid), "r"(a & ~(2 * PAGE_SIZE - 1)) : "memory");
  else
    __asm__ volatile("invtlb %0, %1, $zero" : : "i"(INVTLB_GID_STAGE2), "r"(gid) : "memory");
}

static void answer_flush(void) {
  struct percpu *cpu = this_cpu();
  u64 number = *(volatile u64 *)&request.number;
  if (cpu->flushed == number) return;
  barrier();
  flush(request.gid, request.gpa, request.size);
  barrier();
  *(volatile u64 *)&cpu->flushed = number;
}

void hv_lock(void) {
  for (;;) {
    u32 taken = 1, old;
    __asm__ volatile("amswap_db.w %0, %1, %2" : "=&r"(old) : "r"(taken), "r"(&lock) : "memory");
    if (!old) return;
    while (*(volatile u32 *)&lock) answer_flush();
  }
}

void hv_unlock(void) {
  barrier();
  *(volatile u32 *)&lock = 0;
}

/* All CPUs drop the stage-2 entries of a guest for these addresses before this returns. */
void smp_flush_stage2(u64 gid, u64 gpa, u64 size) {
  unsigned self = cpu_index();
  request.gid = gid, request.gpa = gpa, request.size = size;
  barrier();
  u64 number = ++*(volatile u64 *)&request.number;
  percpus[self].flushed = number;
  flush(gid, gpa, size);
  for (unsigned n = 0; n < MAX_CPUS; n++)
    if (n != self && percpus[n].online) ipi_send(n, IPI_ACTION);
  for (unsigned n = 0; n < MAX_CPUS; n++)
    while (n != self && percpus[n].online && *(volatile u64 *)&percpus[n].flushed != number) barrier();
}

/* The IPI of this CPU has done its work when the CPU is here. */
void smp_ipi_received(void) { iocsr_write32(IOCSR_IPI_CLEAR, iocsr_read32(IOCSR_IPI_STATUS)); }

/* Brings the CPU that runs a vCPU back to the hypervisor; if no CPU runs it, wakes an idle one. */
void smp_kick(struct vcpu *v) {
  if (!v->loaded) smp_kick_idle();
  else if (v->cpu != cpu_index()) ipi_send(v->cpu, IPI_ACTION);
}

void smp_kick_idle(void) {
  for (unsigned n = 0; n < MAX_CPUS; n++)
    if (percpus[n].online && percpus[n].idle) {
      ipi_send(n, IPI_ACTION);
      return;
    }
}

void smp_kick_all(void) {
  for (unsigned n = 0; n < MAX_CPUS; n++)
    if (n != cpu_index() && percpus[n].online) ipi_send(n, IPI_ACTION);
}

/* boot.S enters here on the other CPUs. */
void hv_secondary(void) {
  cpu_enter_host_mode();
  hv_lock();
  this_cpu()->online = 1;
  this_cpu()->flushed = request.number;
  console_printf("hv: CPU %u is up\n", (u64)cpu_index());
  hv_unlock();
  schedule();
  for (;;) __asm__ volatile("idle 0");
}

/* Firmware holds the other CPUs until they find an address in mailbox 0. */
void smp_start(unsigned cpus) {
  if (cpus > MAX_CPUS) cpus = MAX_CPUS;
  for (unsigned n = 1; n < cpus; n++) {
    mail_send(n, phys(_start_secondary));
    ipi_send(n, IPI_ACTION);
    while (!*(volatile int *)&percpus[n].online) {
    }
  }
}
