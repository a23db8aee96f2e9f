/* A very small hypervisor: two VMs take turns on one CPU. hvcl 1 prints the character in a0. */
#include "vcpu.h"

#define UART ((volatile unsigned char *)0x800000001fe001e0)
#define POWER ((volatile unsigned char *)0x80000000100e001c)
#define POWER_OFF 0x34
#define TURNS 10
#define GUESTS 2
#define PAGES 512
#define HYPERCALL 0x17

void enter_guest(struct vcpu *vcpu);
extern char letters[], digits[];

struct vcpu vcpus[GUESTS];
struct vcpu *vcpu_list[GUESTS] = {&vcpus[0], &vcpus[1]};
static u64 tables[GUESTS][PAGES] __attribute__((aligned(4096)));

static u64 physical(const void *at) { return (u64)at & 0xffffffffffff; }

static void print(const char *text) {
  while (*text) *UART = *text++;
}

/* Maps the first GiB to itself, cached, valid, writable. */
static void start_guest(unsigned n, const char *entry) {
  struct vcpu *v = &vcpus[n];
  for (u64 page = 0; page < PAGES; page++) tables[n][page] = page << 21 | 0x193;
  v->table = physical(tables[n]);
  v->gid = n + 1;
  v->pc = physical(entry);
}

__attribute__((noinline)) static void handle_exit(struct vcpu *v) {
  if ((v->cause >> 16 & 0x3f) != HYPERCALL) {
    print("\ntiny: an exit that it does not know\n");
    *POWER = POWER_OFF;
  }
  *UART = v->regs[4];
  v->pc += 4;
}

void hypervisor(void) {
  start_guest(0, letters);
  start_guest(1, digits);
  /* CRMD of the guests: direct addresses. */
  u64 crmd = 8;
  __asm__ volatile("gcsrwr %0, 0" : "+r"(crmd));
  /* GTLBC.USETGID: what the refill fills belongs to the guest. */
  u64 bits = 1 << 12, mask = 1 << 12;
  __asm__ volatile("csrxchg %0, %1, 0x15" : "+r"(bits) : "r"(mask));
  for (unsigned turn = 0; turn < TURNS; turn++) {
    struct vcpu *v = vcpu_list[turn % GUESTS];
    enter_guest(v);
    handle_exit(v);
  }
  print("\ntiny: bye\n");
  *POWER = POWER_OFF;
  for (;;)
    ;
}
