/* Detects LVZ, and sets this CPU up as a host (docs/lvz.md, "Detection" and "Host set-up"). */
#include "vm.h"

#define CPUCFG2_LVZ (1 << 10)
#define GCFG_CAP_MATC_ROOT (1 << 1)
#define GCFG_CAP_GCI_SECURE (1 << 18)
#define INVTLB_ALL_GUESTS 0x12

void cpu_check(void) {
  u32 word2 = cpucfg(2);
  if (!(word2 & CPUCFG2_LVZ)) panic("this CPU has no LVZ: CPUCFG.2 = %x, bit 10 is clear", (u64)word2);
  console_printf("hv: LVZ version %u, %u GID bits\n", (u64)(word2 >> 11) & 7, (csr_read(CSR_GSTAT) >> 4) & 0x3f);
}

void cpu_enter_host_mode(void) {
  /* Capabilities are the read-only low bits of GCFG; take the modes that exist. */
  u64 cap = csr_read(CSR_GCFG), gcfg = 0;
  if (cap & GCFG_CAP_MATC_ROOT) gcfg |= GCFG_MATC_ROOT;
  if (cap & GCFG_CAP_GCI_SECURE) gcfg |= GCFG_GCI_SECURE;
  if (soft_timer) gcfg |= GCFG_TIT;
  csr_write(CSR_GCFG, gcfg);
  csr_write(CSR_GSTAT, 0);
  csr_write(CSR_GINTC, 0);
  csr_write(CSR_GCNTC, 0);
  csr_xchg(CSR_GTLBC, GTLBC_USETGID, GTLBC_USETGID | GTLBC_TOTI | (0xff << GTLBC_TGID_SHIFT));
  __asm__ volatile("invtlb %0, $zero, $zero" : : "i"(INVTLB_ALL_GUESTS) : "memory");

  /* One vector for all exceptions; the refill handler runs in direct address mode. */
  csr_write(CSR_ECFG, IS_TIMER | IS_IPI);
  iocsr_write32(IOCSR_IPI_ENABLE, ~0u);
  csr_write(CSR_EENTRY, (u64)_host_vector);
  csr_write(CSR_TLBRENTRY, phys(_tlb_refill));
  csr_write(CSR_STLBPS, 12);
  csr_write(CSR_ASID, 0);
  /* Geometry of the stage-2 tables: 4 KiB pages, four levels of 512 entries (stage2.c). */
  csr_write(CSR_PWCL, 12 | 9 << 5 | 21 << 10 | 9 << 15 | 30 << 20 | 9 << 25);
  csr_write(CSR_PWCH, 39 | 9 << 6);
}
