/* Console, checks and registers for programs that look at the devices of QEMU's `virt` board as a small driver does. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

void program(void);

static inline u8 get8(u64 a) { return *(volatile u8 *)a; }
static inline u16 get16(u64 a) { return *(volatile u16 *)a; }
static inline u32 get32(u64 a) { return *(volatile u32 *)a; }
static inline void put8(u64 a, u8 v) { *(volatile u8 *)a = v; }
static inline void put16(u64 a, u16 v) { *(volatile u16 *)a = v; }
static inline void put32(u64 a, u32 v) { *(volatile u32 *)a = v; }
static inline void barrier(void) { __asm__ volatile("dbar 0" ::: "memory"); }

#define UART 0x1fe001e0ul
static void put(char c) {
  while (!(get8(UART + 5) & 0x20));
  put8(UART, c);
}
static void print(const char *s) {
  while (*s) put(*s++);
}
static void print_hex(u64 v, int digits) {
  while (digits--) put("0123456789abcdef"[v >> 4 * digits & 15]);
}

static u32 failed;
/* One line in TAP. */
static void check(const char *text, u64 got, u64 wanted) {
  if (got != wanted) {
    failed++;
    print("not ");
  }
  print("ok - ");
  print(text);
  if (got != wanted) {
    print(" (got ");
    print_hex(got, 16);
    print(", not ");
    print_hex(wanted, 16);
    print(")");
  }
  print("\n");
}
static void end(void) { print(failed ? "# some checks failed\n" : "# all checks passed\n"); }

/* PCI: configuration space of a slot, the windows for memory and ports. */
#define CONFIG(slot) (0x20000000ul + ((u64)(slot) << 15))
#define PORT(n) (0x18000000ul + (n))
/* The first slot with this vendor and device; 0 when there is none. */
static u32 find(u32 id) {
  for (u32 slot = 1; slot < 32; slot++)
    if (get32(CONFIG(slot)) == id) return slot;
  return 0;
}
