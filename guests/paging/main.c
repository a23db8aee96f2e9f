/* Paging inside a guest: own page tables, own refill handler, direct mapping windows, a huge page. */
#include "../lib/guest.h"

#define PAGE 0x1000ul
#define BLOCK 0x200000ul
#define V_D_CACHED 0x13ul
#define HUGE 0x40ul
#define PLV0_UNCACHED_WINDOW (WINDOW_UNCACHED | DMW_PLV0)
#define GUEST_ASID 5ul
#define SMALL_VA 0x0000004000000000ul
#define HUGE_VA 0x0000004000200000ul
#define HUGE_GPA 0x800000ul /* 8 MiB: inside the guest's 16 MiB, 2 MiB aligned */

extern char guest_vector[], guest_refill[];
static u64 directory2[512] __attribute__((aligned(4096)));
static u64 directory1[512] __attribute__((aligned(4096)));
static u64 table[512] __attribute__((aligned(4096)));
static u64 first[512] __attribute__((aligned(4096)));
static u64 second[512] __attribute__((aligned(4096)));
static u64 identity1[512] __attribute__((aligned(4096)));
static volatile u64 faults;
static unsigned failures;

static void check(const char *what, int ok) {
  put(ok ? "paging: ok   " : "paging: FAIL ");
  put(what);
  put("\n");
  failures += !ok;
}

/* A store to a clean page is fixed by setting D, as an operating system does for copy-on-write. */
void guest_exception(u64 estat, u64 era, u64 badv) {
  u64 ecode = (estat >> 16) & 0x3f;
  faults++;
  if (ecode == ECODE_PME && (badv & ~(PAGE - 1)) == SMALL_VA + PAGE) {
    table[1] |= 2;
    __asm__ volatile("invtlb 5, %0, %1" : : "r"(GUEST_ASID), "r"(badv) : "memory");
    return;
  }
  put("paging: unexpected exception, ESTAT ");
  put_hex(estat);
  put(" ERA ");
  put_hex(era);
  put(" BADV ");
  put_hex(badv);
  put("\n");
  finish(1);
}

static void enable_paging(void) {
  /* Code, data and stack keep their addresses through a huge-page identity map of the first 16 MiB. */
  for (unsigned i = 0; i < 8; i++) identity1[i] = i * BLOCK | V_D_CACHED | HUGE;
  directory2[0] = (u64)identity1;
  directory2[(SMALL_VA >> 30) & 511] = (u64)directory1;
  directory1[0] = (u64)table;
  directory1[1] = HUGE_GPA | V_D_CACHED | HUGE;
  table[0] = (u64)first | V_D_CACHED;
  table[1] = (u64)second | (V_D_CACHED & ~2ul); /* clean: the first store faults */
  csr_write(CSR_EENTRY, (u64)guest_vector);
  csr_write(CSR_TLBRENTRY, (u64)guest_refill);
  csr_write(CSR_DMW0, PLV0_UNCACHED_WINDOW);
  csr_write(CSR_PGDL, (u64)directory2);
  csr_write(CSR_PWCL, 12 | 9 << 5 | 21 << 10 | 9 << 15 | 30 << 20 | 9 << 25);
  csr_write(CSR_PWCH, 0);
  csr_write(CSR_STLBPS, 12);
  csr_write(CSR_ASID, GUEST_ASID);
  __asm__ volatile("invtlb 0, $zero, $zero" ::: "memory");
  csr_xchg(CSR_CRMD, CRMD_PG, CRMD_PG | CRMD_DA);
}

void guest_main(u64 gid, const char *append) {
  (void)gid, (void)append;
  first[3] = 0x1111;
  second[3] = 0x2222;
  *(volatile u64 *)(HUGE_GPA + 0x12348) = 0x3333;
  enable_paging();
  /* From here the UART is reached through the uncached window: put() would use an unmapped address. */
  volatile u64 *small = (u64 *)SMALL_VA, *clean = (u64 *)(SMALL_VA + PAGE), *huge = (u64 *)(HUGE_VA + 0x12348);
  u64 a = small[3], b = clean[3], c = *huge;
  clean[4] = 0x4444;
  *(volatile u64 *)(HUGE_VA + 0x1fff00) = 0x5555;
  u64 seen = faults;
  /* Change a mapping under a cached translation, then invalidate it. */
  table[0] = (u64)second | V_D_CACHED;
  __asm__ volatile("invtlb 5, %0, %1" : : "r"(GUEST_ASID), "r"(SMALL_VA) : "memory");
  u64 d = small[3];
  /* Back to direct address mode to print. */
  csr_xchg(CSR_CRMD, CRMD_DA, CRMD_PG | CRMD_DA);
  check("a 4 KiB page", a == 0x1111);
  check("a clean page, read", b == 0x2222);
  check("a clean page, stored to after one PME", second[4] == 0x4444 && seen == 1);
  check("a 2 MiB page, read", c == 0x3333);
  check("a 2 MiB page, written at its other end", *(volatile u64 *)(HUGE_GPA + 0x1fff00) == 0x5555);
  check("a mapping changed and invalidated", d == 0x2222);
  /* Stage 2 changes under translations that are in use: the hypervisor must invalidate them. */
  volatile u64 *page = first;
  page[5] = 1;
  hypercall(HYPERCALL_LOG_DIRTY, (u64)page);
  u64 readable = page[5];
  page[5] = 2;
  check("a page whose stores the hypervisor logs", readable == 1 && page[5] == 2);
  hypercall(HYPERCALL_RELEASE, (u64)page);
  check("a page given back comes again, empty", page[5] == 0);
  finish(failures);
}
