/* CPUs against each other: atomic operations, locks, the order of stores and loads, code that another CPU rewrites, and
 * inter-processor interrupts. Says what holds, a line each, and powers off. Command line: cpus=N rounds=N. */
#include "../../src/hv/csr.h"

#define UART 0x1fe001e0
#define POWER 0x100e001c
#define POWER_OFF 0x34
#define MAX 8
#define CPUCFG2_LAMCAS (1u << 28)
#define CPUCFG2_LAM_BH (1u << 27)

char secondary_stacks[MAX][8192] __attribute__((aligned(16)));
extern char secondary_start[], vector[];
extern u32 code_page[];
extern volatile u64 code_page_data[];

typedef struct { volatile u64 v; u64 pad[7]; } line;

static u64 cpus = 1, rounds = 20000;
static line arrived, generation;
static line counter[8], plain[3], spin, ticket, serving;
static line data[4], flag, x, y, seen[MAX], wrong, pings[MAX], ticks[MAX], torn, acked;
static volatile u8 bytes[8];
static volatile u64 whole __attribute__((aligned(8)));

static void full(void) { __asm__ volatile("dbar 0" ::: "memory"); }
static u64 self(void) { return csr_read(CSR_CPUID); }

static void put_char(char c) { *(volatile u8 *)UART = c; }
static void put(const char *text) {
  while (*text) put_char(*text++);
}
static void put_dec(u64 v) {
  if (v >= 10) put_dec(v / 10);
  put_char('0' + v % 10);
}

#define AM(op, p, value) ({ u64 old_; __asm__ volatile(op " %0, %1, %2" : "=&r"(old_) : "r"((u64)(value)), "r"(p) : "memory"); old_; })

/* All CPUs come here before any goes on. */
static void meet(void) {
  u64 mine = generation.v;
  if (AM("amadd_db.d", &arrived.v, 1) == cpus - 1) {
    arrived.v = 0;
    full();
    generation.v = mine + 1;
  } else
    while (generation.v == mine) {
    }
  full();
}

static void ll_sc_add(volatile u64 *p) {
  u64 t;
  __asm__ volatile("1: ll.d %0, %1, 0\n  addi.d %0, %0, 1\n  sc.d %0, %1, 0\n  beqz %0, 1b\n" : "=&r"(t) : "r"(p) : "memory");
}
static void ll_sc_add_word(volatile u64 *p) {
  u64 t;
  __asm__ volatile("1: ll.w %0, %1, 0\n  addi.w %0, %0, 1\n  sc.w %0, %1, 0\n  beqz %0, 1b\n" : "=&r"(t) : "r"(p) : "memory");
}
/* amcas.d $t0, $t1, $t2: the old value comes back in t0. */
static u64 cas(volatile u64 *p, u64 expected, u64 value) {
  register u64 old __asm__("t0") = expected;
  register u64 new __asm__("t1") = value;
  register volatile u64 *at __asm__("t2") = p;
  __asm__ volatile(".word 0x38598000 + 13 * 1024 + 14 * 32 + 12" : "+r"(old) : "r"(new), "r"(at) : "memory");
  return old;
}

static void atomics(u64 me) {
  u32 have = cpucfg(2);
  for (u64 i = 0; i < rounds; i++) {
    AM("amadd.d", &counter[0].v, 1);
    AM("amadd_db.w", &counter[1].v, 1);
    ll_sc_add(&counter[2].v);
    ll_sc_add_word(&counter[3].v);
    AM("amxor.d", &counter[4].v, 1ul << (me * 8 + i % 8));
    AM("ammax.du", &counter[5].v, i * MAX + me);
    if (have & CPUCFG2_LAMCAS) {
      u64 old = counter[6].v, was;
      while ((was = cas(&counter[6].v, old, old + 1)) != old) old = was;
    }
    /* amadd.b $t0, $t1, $t2: every CPU its own byte, all in one doubleword. */
    if (have & CPUCFG2_LAM_BH) {
      register u64 one __asm__("t1") = 1;
      register volatile u8 *at __asm__("t2") = &bytes[me];
      __asm__ volatile(".word 0x385d0000 + 13 * 1024 + 14 * 32 + 12" : : "r"(one), "r"(at) : "t0", "memory");
    }
  }
}

static void take(void) {
  u64 t;
  __asm__ volatile("1: ll.d %0, %1, 0\n  bnez %0, 1b\n  ori %0, $zero, 1\n  sc.d %0, %1, 0\n  beqz %0, 1b\n" : "=&r"(t) : "r"(&spin.v) : "memory");
  full();
}
static void give(void) {
  full();
  spin.v = 0;
}

static void locks(void) {
  for (u64 i = 0; i < rounds / 4; i++) {
    take();
    plain[0].v++;
    plain[1].v = plain[0].v * 3;
    give();
    u64 mine = AM("amadd_db.d", &ticket.v, 1);
    while (serving.v != mine) {
    }
    full();
    plain[2].v++;
    full();
    serving.v = mine + 1;
  }
}

/* CPU 0 writes data and then a flag; who sees the flag must see the data. */
static void messages(u64 me) {
  for (u64 i = 1; i <= rounds; i++) {
    if (me == 0) {
      data[0].v = i;
      data[1].v = ~i;
      full();
      flag.v = i;
    } else {
      u64 f = flag.v;
      full();
      u64 a = data[0].v, b = data[1].v;
      full();
      /* Later stores may be seen too, never earlier ones. */
      if (a < f) AM("amadd_db.d", &wrong.v, 1);
      if (~b < f) AM("amadd_db.d", &wrong.v, 1);
    }
  }
}

/* Each of two stores its own and loads the other's: with barriers one must see the other. */
static void store_buffers(u64 me) {
  for (u64 i = 1; i <= rounds / 40; i++) {
    meet();
    if (me == 0) {
      x.v = i;
      full();
      seen[0].v = y.v;
    } else if (me == 1) {
      y.v = i;
      full();
      seen[1].v = x.v;
    }
    meet();
    if (me == 0 && cpus >= 2 && seen[0].v != i && seen[1].v != i) wrong.v++;
  }
}

/* Two readers of two independent writers agree about the order. */
static void independent(u64 me) {
  for (u64 i = 1; i <= rounds / 40; i++) {
    meet();
    if (me == 0) x.v = i;
    if (me == 1) y.v = i;
    if (me == 2 || me == 3) {
      u64 a = me == 2 ? x.v : y.v;
      full();
      u64 b = me == 2 ? y.v : x.v;
      seen[me].v = (a == i) * 2 + (b == i);
    }
    meet();
    if (me == 0 && cpus >= 4 && seen[2].v == 2 && seen[3].v == 2) wrong.v++;
  }
}

/* A doubleword is stored and loaded in one piece. */
static void pieces(u64 me) {
  for (u64 i = 0; i < rounds * 4; i++) {
    if (me == 0) whole = (i & 0xffffffff) * 0x100000001ul;
    else {
      u64 v = whole;
      if (v >> 32 != (v & 0xffffffff)) AM("amadd_db.d", &torn.v, 1);
    }
  }
}

/* CPU 0 rewrites a function, the others call it, all of them write data beside it. */
static void code(u64 me) {
  u64 (*function)(void) = (u64 (*)(void))code_page;
  for (u64 i = 1; i <= rounds / 80; i++) {
    u64 n = i & 0xfff;
    if (me == 0) {
      acked.v = 0;
      *(volatile u32 *)code_page = 0x03800004 | (u32)n << 10; /* ori $a0, $zero, n */
      full();
      flag.v = i;
    }
    while (flag.v != i) {
    }
    full();
    __asm__ volatile("ibar 0" ::: "memory");
    for (u64 k = 0; k < 40; k++) {
      if (function() != n) AM("amadd_db.d", &wrong.v, 1);
      if (k % 8 == 0) AM("amadd_db.d", &code_page_data[me], 1);
    }
    AM("amadd_db.d", &acked.v, 1);
    if (me == 0)
      while (acked.v != cpus) {
      }
  }
}

/* Called by the vector. */
void interrupt(u64 estat) {
  u64 me = self();
  if (estat & IS_IPI) {
    u32 which = iocsr_read32(IOCSR_IPI_STATUS);
    iocsr_write32(IOCSR_IPI_CLEAR, which);
    AM("amadd_db.d", &pings[me].v, 1);
    if (me && which & 4) ipi_send(0, 3);
  }
  if (estat & IS_TIMER) {
    csr_write(CSR_TICLR, 1);
    ticks[me].v++;
  }
}

static void interrupts_on(void) {
  csr_write(CSR_EENTRY, (u64)vector);
  csr_write(CSR_ECFG, IS_IPI | IS_TIMER);
  iocsr_write32(IOCSR_IPI_CLEAR, ~0u);
  iocsr_write32(IOCSR_IPI_ENABLE, ~0u);
  csr_xchg(CSR_CRMD, CRMD_IE, CRMD_IE);
}

/* CPU 0 pings each of the others, which answer; each CPU has a timer. */
static void interrupts(u64 me) {
  interrupts_on();
  csr_write(CSR_TCFG, 200000 | 3);
  meet();
  if (me == 0)
    for (u64 i = 0; i < rounds / 200; i++)
      for (u64 k = 1; k < cpus; k++) {
        u64 before = pings[0].v;
        ipi_send(k, 2);
        while (pings[0].v == before) {
        }
      }
  while (ticks[me].v < 5) {
  }
  csr_write(CSR_TCFG, 0);
  meet();
  csr_xchg(CSR_CRMD, 0, CRMD_IE);
}

static void work(u64 me) {
  meet();
  atomics(me);
  meet();
  locks();
  meet();
  messages(me);
  meet();
  if (me == 0) flag.v = 0;
  store_buffers(me);
  meet();
  independent(me);
  meet();
  pieces(me);
  meet();
  code(me);
  meet();
  interrupts(me);
  meet();
}

void secondary_main(u64 me) {
  work(me);
  for (;;) __asm__ volatile("idle 0");
}

static void report(const char *what, int good) {
  put(good ? "ok   " : "FAIL ");
  put(what);
  put("\n");
}

static u64 number(const char *line, const char *key, u64 otherwise) {
  for (; *line; line++) {
    const char *a = line, *b = key;
    while (*b && *a == *b) a++, b++;
    if (*b) continue;
    u64 v = 0;
    while (*a >= '0' && *a <= '9') v = v * 10 + (*a++ - '0');
    return v;
  }
  return otherwise;
}

void smp_main(const char *line) {
  cpus = number(line, "cpus=", 1);
  rounds = number(line, "rounds=", rounds);
  for (u64 k = 1; k < cpus; k++) {
    mail_send(k, (u64)secondary_start);
    ipi_send(k, 0);
  }
  u64 have = cpucfg(2);
  meet();
  atomics(0);
  meet();
  u64 all = rounds * cpus, flips = 0, sum = 0;
  for (u64 k = 0; k < cpus; k++)
    for (u64 b = 0; b < 8; b++) flips |= (u64)((rounds + 7 - b) / 8 & 1) << (k * 8 + b);
  report("amadd", counter[0].v == all && counter[1].v == all);
  report("ll and sc", counter[2].v == all && counter[3].v == all);
  report("amxor, ammax", counter[4].v == flips && counter[5].v == (rounds - 1) * MAX + cpus - 1);
  report("amcas", !(have & CPUCFG2_LAMCAS) || counter[6].v == all);
  for (u64 k = 0; k < cpus; k++) sum += bytes[k] == (u8)rounds;
  report("amadd.b beside each other", !(have & CPUCFG2_LAM_BH) || sum == cpus);
  locks();
  meet();
  report("a lock of ll and sc", plain[0].v == rounds / 4 * cpus && plain[1].v == plain[0].v * 3);
  report("a ticket lock", plain[2].v == rounds / 4 * cpus);
  messages(0);
  meet();
  report("a message is there before its flag", wrong.v == 0);
  flag.v = 0;
  store_buffers(0);
  meet();
  report("store buffers", wrong.v == 0);
  independent(0);
  meet();
  report("independent writers", wrong.v == 0);
  pieces(0);
  meet();
  report("doublewords in one piece", torn.v == 0);
  code(0);
  meet();
  sum = 0;
  for (u64 k = 0; k < cpus; k++) sum += code_page_data[k] == rounds / 80 * 5;
  report("code that another CPU rewrites", wrong.v == 0 && sum == cpus);
  interrupts(0);
  meet();
  report("inter-processor interrupts", pings[0].v == rounds / 200 * (cpus - 1));
  put("cpus ");
  put_dec(cpus);
  put("\n");
  *(volatile u8 *)POWER = POWER_OFF;
  for (;;) {
  }
}
