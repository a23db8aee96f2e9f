/* A small kernel for two CPUs with one planted race: -DRACE_NAME chooses which. In a run without perturbation none of them shows.
 * Boot code, console and exception vector are those of the reference hypervisor and of its guests. */
#include "vm.h"

char secondary_stacks[MAX_CPUS][0x4000] __attribute__((aligned(16)));
extern char _start_secondary[], guest_vector[];
#define SOME_USE __attribute__((unused)) /* not every race */
static volatile u64 met[2], wrong;
SOME_USE static volatile u64 counter;

static unsigned self(void) { return cpu_index(); }
static void barrier(void) { __asm__ volatile("dbar 0" ::: "memory"); }
/* Work that has nothing to do with the race. */
static void pause(u64 n) { __asm__ volatile("1: addi.d %0, %0, -1\n bnez %0, 1b" : "+r"(n)); }
static void add(volatile u64 *p, u64 v) { __asm__ volatile("amadd_db.d $zero, %0, %1" : : "r"(v), "r"(p) : "memory"); }
SOME_USE static void expect(int good) {
  if (!good) add(&wrong, 1);
}
/* Both CPUs arrive before one goes on. */
static void meet(void) {
  u64 n = ++met[self()];
  barrier();
  while (met[!self()] < n) {
  }
}
static void interrupts(int on) { csr_xchg(CSR_CRMD, on ? CRMD_IE : 0, CRMD_IE); }

/* The part of an interrupt handler that a race needs. */
static void ipi(u32 status);
static void timer(void);
void guest_exception(u64 estat, u64 era, u64 badv) {
  if (estat & IS_TIMER) {
    csr_write(CSR_TICLR, 1);
    timer();
  } else if (estat & IS_IPI)
    ipi(iocsr_read32(IOCSR_IPI_STATUS));
  else
    panic("exception: ESTAT %x ERA %x BADV %x", estat, era, badv);
}

#if defined RACE_UPDATE /* a counter of two CPUs without a lock */
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void both(void) {
  for (int i = 0; i < 60; i++) {
    pause(700 + 90 * self());
    counter = counter + 1;
  }
}
static void check(void) { expect(counter == 120); }

#elif defined RACE_TICKET /* a ticket lock whose tickets are not taken atomically */
static volatile u64 next, serving, inside;
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void both(void) {
  for (int i = 0; i < 60; i++) {
    u64 ticket = next;
    pause(6); /* writes down who waits */
    next = ticket + 1;
    barrier();
    while (serving < ticket) {
    }
    expect(++inside == 1);
    pause(150);
    --inside;
    barrier();
    serving = ticket + 1;
    pause(600 + 70 * self());
  }
}
static void check(void) {}

#elif defined RACE_SLEEP /* between the question and `idle` the interrupt may come */
static volatile u64 flag;
static void ipi(u32 status) { iocsr_write32(IOCSR_IPI_CLEAR, status); }
static void timer(void) {}
static void both(void) {
  for (u64 i = 1; i <= 20; i++)
    if (self() == 0) {
      pause(12000);
      flag = i;
      barrier();
      ipi_send(1, 0);
      while (counter < i) {
      }
    } else {
      while (flag < i) {
        pause(8); /* looks whether there is other work */
        __asm__ volatile("idle 0" ::: "memory");
      }
      counter = i;
    }
}
static void check(void) {}

#elif defined RACE_SAVE /* SAVE0 belongs to the handler and to the program */
static void ipi(u32 status) { (void)status; }
static void timer(void) { csr_write(CSR_SAVE0, 0xdead); }
static void both(void) {
  if (self() == 0) {
    csr_write(CSR_TCFG, 30000 | 3);
    for (u64 i = 1; i <= 100; i++) {
      pause(2500);
      csr_write(CSR_SAVE0, i);
      expect(csr_read(CSR_SAVE0) == i);
    }
    csr_write(CSR_TCFG, 0);
  }
}
static void check(void) {}

#elif defined RACE_FLAGS /* the handler sets a bit of a word that the program changes */
static volatile u64 events, raised, handled;
static void ipi(u32 status) { (void)status; }
static void timer(void) {
  raised++;
  events |= 2;
}
static void both(void) {
  if (self() == 0) {
    csr_write(CSR_TCFG, 30000 | 3);
    for (int i = 0; i < 100; i++) {
      pause(2500);
      events |= 1;
      if (events & 2) {
        interrupts(0);
        handled++;
        events &= ~2ul;
        interrupts(1);
      }
    }
    csr_write(CSR_TCFG, 0);
    if (events & 2) handled++;
  }
}
static void check(void) { expect(handled == raised); }

#elif defined RACE_PUBLISH /* the flag is set before the data */
static volatile u64 there, data[16], taken;
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void both(void) {
  for (u64 i = 1; i <= 40; i++)
    if (self() == 0) {
      pause(3000);
      there = i;
      for (int n = 0; n < 16; n++) data[n] = i;
      while (taken < i) {
      }
    } else {
      while (there < i) {
      }
      expect(data[15] == i);
      taken = i;
    }
}
static void check(void) {}

#elif defined RACE_STORE /* nobody looks whether the sc was successful */
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void both(void) {
  for (int i = 0; i < 100; i++) {
    u64 t;
    pause(400 + 60 * self());
    __asm__ volatile("ll.d %0, %1, 0\n addi.d %0, %0, 1\n sc.d %0, %1, 0" : "=&r"(t) : "r"(&counter) : "memory");
  }
}
static void check(void) { expect(counter == 200); }

#elif defined RACE_DEADLINE /* the deadline may have passed before the timer is set to it */
static volatile u64 expired;
static void ipi(u32 status) { (void)status; }
static void timer(void) { expired++; }
static void both(void) {
  if (self() == 0)
    for (u64 i = 1; i <= 40; i++) {
      u64 deadline = rdtime() + 400;
      pause(60);
      csr_write(CSR_TCFG, ((deadline - rdtime()) & 0xfffffffffffcul) | 1);
      while (expired < i) __asm__ volatile("idle 0" ::: "memory");
    }
}
static void check(void) {}

#elif defined RACE_INIT /* the first use makes the thing, and both CPUs may be the first */
static volatile u64 made[40], times[40];
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void both(void) {
  for (int i = 0; i < 40; i++) {
    pause(2000 + 300 * self());
    if (!made[i]) {
      pause(10);
      add(&times[i], 1);
      made[i] = 1;
    }
  }
}
static void check(void) {
  for (int i = 0; i < 40; i++) expect(times[i] == 1);
}

#elif defined RACE_SNAPSHOT /* two words that belong together are read without looking at the number of the version */
static volatile u64 version, first, second, stop;
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void both(void) {
  if (self() == 0) {
    for (u64 i = 1; i <= 60; i++) {
      pause(1500);
      version++;
      first = i;
      second = i;
      version++;
    }
    stop = 1;
  } else
    while (!stop) {
      u64 a = first, b = second;
      expect(a == b);
      pause(900);
    }
}
static void check(void) {}

#elif defined RACE_CLEAR /* an interrupt that comes between reading and clearing the status is lost */
static volatile u64 got[2], asked;
static void ipi(u32 status) {
  for (int n = 0; n < 2; n++)
    if (status >> n & 1) got[n] = asked;
  iocsr_write32(IOCSR_IPI_CLEAR, ~0u);
}
static void timer(void) {}
static void both(void) {
  for (u64 i = 1; i <= 20; i++) {
    if (self() == 0) {
      asked = i;
      barrier();
      ipi_send(1, 0);
      pause(3000);
      ipi_send(1, 1);
      while (got[1] < i) {
      }
    }
    meet();
  }
}
static void check(void) {}

#elif defined RACE_ORDER /* the driver takes a device's answers in the order of its requests (--virtio mmio) */
#define ENTROPY 0x16000000ul
#define SIZE 2
static struct {
  struct { u64 address; u32 length; u16 flags, next; } table[SIZE];
  u16 avail[3 + SIZE] __attribute__((aligned(8)));
  struct { u16 flags, index; struct { u32 id, length; } ring[SIZE]; u16 event; } used __attribute__((aligned(8)));
} queue;
static volatile u64 numbers[SIZE];
static void set(u64 offset, u32 value) { *(volatile u32 *)device(ENTROPY + offset) = value; }
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void set_up(void) {
  u64 areas[] = {phys(queue.table), phys(queue.avail), phys(&queue.used)};
  set(0x70, 3); /* acknowledged, driver */
  set(0x24, 1); /* version 1 */
  set(0x20, 1);
  set(0x70, 11); /* features ok */
  set(0x38, SIZE);
  for (int n = 0; n < 3; n++) {
    set(0x80 + 0x10 * n, areas[n]);
    set(0x84 + 0x10 * n, areas[n] >> 32);
  }
  set(0x44, 1);
  set(0x70, 15);
}
static void both(void) {
  if (self() == 0) {
    volatile u16 *answered = &queue.used.index;
    set_up();
    for (int i = 0; i < 20; i++) {
      u16 before = *answered;
      for (u16 n = 0; n < SIZE; n++) {
        numbers[n] = 0;
        queue.table[n].address = phys((void *)&numbers[n]);
        queue.table[n].length = 8;
        queue.table[n].flags = 2; /* the device writes */
        queue.avail[2 + n] = n;
      }
      barrier();
      queue.avail[1] += SIZE;
      barrier();
      set(0x50, 0);
      for (u16 n = 0; n < SIZE; n++) {
        while ((u16)(*answered - before) <= n) {
        }
        expect(numbers[n] != 0);
      }
      pause(3000);
    }
  }
}
static void check(void) {}

#elif defined RACE_DEKKER /* each says that it wants, and looks at the other: nothing says that the store must be seen before the load is done */
/* fence() is a barrier in fenced/, and nothing here: scripts/build-races */
static volatile u64 wants[2], inside;
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void both(void) {
  unsigned me = self();
  for (int i = 0; i < 1000; i++) {
    wants[me] = 1;
    fence();
    if (!wants[!me]) {
      fence();
      expect(++inside == 1);
      pause(30);
      --inside;
      fence();
    }
    wants[me] = 0;
    pause(40 + 7 * me);
  }
}
static void check(void) {}

#elif defined RACE_MESSAGE /* nothing says that the other CPU must see an entry of the log before its number */
#define ENTRIES 2000
static volatile u64 log[ENTRIES + 1], newest;
static void ipi(u32 status) { (void)status; }
static void timer(void) {}
static void both(void) {
  if (self() == 0)
    for (u64 i = 1; i <= ENTRIES; i++) {
      pause(20);
      log[i] = i;
      fence();
      newest = i;
    }
  else
    for (u64 n = 0; n < ENTRIES;) {
      n = newest;
      fence();
      expect(log[n] == n);
    }
}
static void check(void) {}
#endif

static void ready(void) {
  csr_write(CSR_EENTRY, (u64)guest_vector);
  csr_write(CSR_ECFG, IS_TIMER | IS_IPI);
  iocsr_write32(IOCSR_IPI_CLEAR, ~0u);
  iocsr_write32(IOCSR_IPI_ENABLE, ~0u);
  interrupts(1);
  meet();
  both();
  meet();
}

void hv_secondary(void) {
  ready();
  for (;;) __asm__ volatile("idle 0");
}

void hv_main(const char *command_line) {
  (void)command_line;
  mail_send(1, phys(_start_secondary));
  ipi_send(1, 0);
  ready();
  check();
  console_write(wrong ? "races: WRONG\n" : "races: all is well\n");
  power_off();
}
