/* A Serial ATA disk on port 0 of an AHCI controller, as a small kernel drives it, and as none should. The disk has 64 sectors. */
#include "board.h"

#define HBA 0x40000000ul
#define GHC 0x04
#define PORT0 (HBA + 0x100)
enum { CLB = 0x00, FB = 0x08, IS = 0x10, IE = 0x14, CMD = 0x18, TFD = 0x20, SIG = 0x24, SSTS = 0x28, SCTL = 0x2c, SERR = 0x30, SACT = 0x34, CI = 0x38 };
#define START 0x11
#define FATAL 0x78000000u

static u8 list[1024] __attribute__((aligned(1024))), received[256] __attribute__((aligned(256)));
static u8 table[0x80 + 16 * 16] __attribute__((aligned(128)));
static u8 buffer[8192] __attribute__((aligned(16)));

static u32 get(u32 r) { return get32(PORT0 + r); }
static void set(u32 r, u32 v) { put32(PORT0 + r, v); }
static void fill(volatile u8 *p, u32 n, u32 seed) {
  while (n--) *p++ = seed, seed = seed * 5 + 1;
}
static u32 differs(const volatile u8 *p, u32 n, u32 seed) {
  u32 wrong = 0;
  while (n--) wrong += *p++ != (u8)seed, seed = seed * 5 + 1;
  return wrong;
}

static void restart(void) {
  set(CMD, 0x10);
  for (u32 n = 0; get(CMD) & 0x8000 && n < 1000000; n++);
  set(SERR, ~0u), set(IS, ~0u);
  set(CMD, START);
}

/* Regions: `count` of `each` bytes from `at` on. */
static void regions(u64 at, u32 each, u32 count, u32 slot, int write) {
  volatile u32 *p = (u32 *)(table + 0x80), *header = (u32 *)(list + 32 * slot);
  for (u32 n = 0; n < count; n++, p += 4) {
    u64 a = at + (u64)n * each;
    p[0] = a, p[1] = a >> 32, p[2] = 0, p[3] = each - 1;
  }
  header[0] = 5 | (u32)write << 6 | count << 16, header[1] = 0, header[2] = (u64)table, header[3] = (u64)table >> 32;
}

/* A command; waits for its end. Its bits of PxIS. */
static u32 command(u32 slot, u8 code, u64 sector, u32 count, u32 features, u8 device) {
  volatile u8 *f = table;
  f[0] = 0x27, f[1] = 0x80, f[2] = code, f[3] = features;
  f[4] = sector, f[5] = sector >> 8, f[6] = sector >> 16, f[7] = device;
  f[8] = sector >> 24, f[9] = sector >> 32, f[10] = sector >> 40, f[11] = features >> 8;
  f[12] = count, f[13] = count >> 8, f[14] = f[15] = 0;
  set(IS, ~0u);
  barrier();
  set(CI, 1u << slot);
  for (u32 n = 0; n < 100000000 && get(CI) >> slot & 1 && !(get(IS) & FATAL); n++);
  /* Queued commands have not ended then. */
  for (u32 n = 0; n < 100000000 && get(SACT) && !(get(IS) & FATAL); n++);
  barrier();
  return get(IS);
}
static u32 moved(u32 slot) { return ((volatile u32 *)list)[8 * slot + 1]; }
static u32 word(u32 n) { return buffer[2 * n] | buffer[2 * n + 1] << 8; }

void program(void) {
  print("# AHCI\n");
  u32 slot = find(0x29228086);
  check("the controller is an ICH9", slot != 0, 1);
  check("its class and revision", get32(CONFIG(slot) + 8), 0x01060102);
  check("its subsystem", get32(CONFIG(slot) + 0x2c), 0x11001af4);
  check("its first capability is MSI with a 64-bit address", get32(CONFIG(slot) + get8(CONFIG(slot) + 0x34)), 0x0080a805);
  check("the other one is Serial ATA", get32(CONFIG(slot) + 0xa8), 0x00100012);
  put32(CONFIG(slot) + 0x24, ~0u);
  check("4 KiB of registers", get32(CONFIG(slot) + 0x24), 0xfffff000);
  put32(CONFIG(slot) + 0x20, ~0u);
  check("32 ports", get32(CONFIG(slot) + 0x20), 0xffffffe1);
  put32(CONFIG(slot) + 0x20, 0x6000);
  put32(CONFIG(slot) + 0x24, HBA);
  put16(CONFIG(slot) + 4, 7);
  check("CAP", get32(HBA), 0xc0141f05);
  check("PI", get32(HBA + 0x0c), 0x3f);
  check("VS", get32(HBA + 0x10), 0x00010000);
  put32(HBA + GHC, 1);
  for (u32 n = 0; get32(HBA + GHC) & 1 && n < 1000000; n++);
  put32(HBA + GHC, 0x80000000);
  check("GHC", get32(HBA + GHC), 0x80000000);
  put32(PORT(0x6010), 0x0c);
  check("a register by index and data", get32(PORT(0x6014)), 0x3f);
  check("a device is on port 0", get(SSTS), 0x113);
  check("none is on port 1", get32(PORT0 + 0x80 + SSTS), 0);
  check("before it may send there is no signature", get(SIG), 0xffffffff);
  set(CLB, (u64)list), set(CLB + 4, (u64)list >> 32);
  set(FB, (u64)received), set(FB + 4, (u64)received >> 32);
  restart();
  check("its signature is a disk's", get(SIG), 0x00000101);
  check("the list runs, and frames are received", get(CMD) & 0xc011, 0xc011);

  regions((u64)buffer, 512, 1, 0, 0);
  u32 is = command(0, 0xec, 0, 0, 0, 0);
  check("IDENTIFY: a PIO setup frame", is >> 1 & 1, 1);
  check("512 bytes", moved(0), 512);
  check("status", get(TFD), 0x50);
  check("not removable, DMA and LBA", word(0) << 16 | word(49), 0x00400b00);
  check("64 sectors", word(60) | word(61) << 16, 64);
  check("64 sectors by 48 bits", word(100) | word(101) << 16, 64);
  check("a queue of 32", word(75), 31);
  check("native command queueing", word(76) >> 8 & 1, 1);
  check("48-bit addresses, flushes", word(83) & 0x3400, 0x3400);

  fill(buffer, 4096, 3);
  regions((u64)buffer, 1024, 4, 1, 1);
  is = command(1, 0x35, 8, 8, 0, 0x40);
  check("WRITE DMA EXT: a register frame, and nothing else", is, 1);
  check("status", get(TFD), 0x50);
  check("bytes", moved(1), 4096);
  fill(buffer, 4096, 0);
  regions((u64)buffer, 512, 8, 2, 0);
  check("READ DMA EXT, in other pieces", command(2, 0x25, 8, 8, 0, 0x40), 1);
  check("the same data", differs(buffer, 4096, 3), 0);
  check("the frame that came", received[0x40] | received[0x42] << 8 | received[0x43] << 16, 0x005034);
  fill(buffer, 1024, 9);
  regions((u64)buffer, 1024, 1, 0, 1);
  check("WRITE DMA", command(0, 0xca, 20, 2, 0, 0x40), 1);
  fill(buffer, 1024, 0);
  regions((u64)buffer, 1024, 1, 0, 0);
  is = command(0, 0x20, 20, 2, 0, 0x40);
  check("READ SECTORS: by PIO", is >> 1 & 1, 1);
  check("the same data", differs(buffer, 1024, 9), 0);
  /* 20 is cylinder 0, head 0, sector 21. */
  regions((u64)buffer, 512, 1, 0, 0);
  fill(buffer, 512, 0);
  command(0, 0xc8, 21, 1, 0, 0);
  check("READ DMA by cylinder, head and sector", differs(buffer, 512, 9), 0);
  regions(0, 0, 0, 0, 0);
  check("FLUSH CACHE EXT", command(0, 0xea, 0, 0, 0, 0x40), 1);
  check("SET FEATURES: transfer mode", command(0, 0xef, 0, 0x45, 3, 0x40), 1);
  check("CHECK POWER MODE", command(0, 0xe5, 0, 0, 0, 0x40), 1);
  check("its answer: active", received[0x4c], 0xff);

  regions((u64)buffer, 1024, 1, 5, 0);
  fill(buffer, 1024, 0);
  set(SACT, 1 << 5);
  is = command(5, 0x60, 20, 5 << 3, 2, 0x40);
  check("READ FPDMA QUEUED: set device bits", is, 8);
  check("the same data", differs(buffer, 1024, 9), 0);
  check("the frame names the command", received[0x58] | (u32)received[0x5c] << 8, 0x20a1);
  check("nothing waits", get(SACT) | get(CI), 0);
  fill(buffer, 1024, 77);
  regions((u64)buffer, 512, 2, 6, 1);
  set(SACT, 1 << 6);
  check("WRITE FPDMA QUEUED", command(6, 0x61, 30, 6 << 3, 2, 0x40), 8);
  fill(buffer, 1024, 0);
  regions((u64)buffer, 1024, 1, 0, 0);
  command(0, 0x25, 30, 2, 0, 0x40);
  check("the same data", differs(buffer, 1024, 77), 0);

  regions((u64)buffer, 1024, 1, 0, 0);
  is = command(0, 0x25, 63, 2, 0, 0x40);
  check("beyond the end: a task file error", is >> 30 & 1, 1);
  check("status", get(TFD) & 0x89, 0x01);
  check("the command is still in PxCI", get(CI), 1);
  restart();
  check("and leaves it when the list stops", get(CI), 0);
  regions((u64)buffer, 1024, 1, 7, 0);
  set(SACT, 1 << 7);
  is = command(7, 0x60, 63, 7 << 3, 2, 0x40);
  check("queued: a task file error", is >> 30 & 1, 1);
  check("the tag is still in PxSACT", get(SACT), 1 << 7);
  restart();
  regions(0, 0, 0, 0, 0);
  check("a command that does not exist is aborted", command(0, 0xff, 0, 0, 0, 0x40) >> 30 & get(TFD) >> 10 & 1, 1);
  restart();
  regions((u64)buffer, 512, 1, 0, 0);
  check("the next one works", command(0, 0x25, 0, 1, 0, 0x40), 1);

  /* Soft reset: two frames for the control register. */
  for (u32 n = 0; n < 2; n++) {
    volatile u8 *f = table;
    for (u32 k = 0; k < 20; k++) f[k] = 0;
    f[0] = 0x27, f[15] = n ? 0 : 4;
    regions(0, 0, 0, 0, 0);
    *(volatile u32 *)list |= n ? 0 : 0x500;
    barrier();
    set(CI, 1);
    for (u32 k = 0; k < 1000000 && get(CI); k++);
  }
  check("a soft reset: the signature comes again", received[0x44] | received[0x4c] << 8 | get(SIG) << 16, 0x01010101);
  set(CMD, 0x10);
  set(SCTL, 0x301);
  set(SCTL, 0x300);
  for (u32 n = 0; get(SSTS) != 0x113 && n < 1000000; n++);
  check("COMRESET: the device is there again", get(SSTS), 0x113);
  check("with its signature", get(SIG), 0x101);
  restart();
  regions((u64)buffer, 512, 1, 0, 0);
  check("and works", command(0, 0x25, 0, 1, 0, 0x40), 1);

  /* Interrupts: the port's, then the controller's. */
  put32(HBA + 8, ~0u);
  set(IE, 1);
  put32(HBA + GHC, 0x80000002);
  command(0, 0x25, 0, 1, 0, 0x40);
  check("IS names the port", get32(HBA + 8), 1);
  check("the pin is asserted", get16(CONFIG(slot) + 6) >> 3 & 1, 1);
  set(IS, ~0u);
  put32(HBA + 8, ~0u);
  check("and is not, when both are cleared", get32(HBA + 8) | (get16(CONFIG(slot) + 6) >> 3 & 1), 0);
  end();
}
