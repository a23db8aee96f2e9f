/* CSR numbers and fields used by the hypervisor and its guests, for C and assembly.
 * LoongArch Reference Manual Vol. 1, chapter 7; LVZ registers: docs/lvz.md. */
#ifndef HV_CSR_H
#define HV_CSR_H

#define CSR_CRMD 0x0
#define CSR_PRMD 0x1
#define CSR_EUEN 0x2
#define CSR_MISC 0x3
#define CSR_ECFG 0x4
#define CSR_ESTAT 0x5
#define CSR_ERA 0x6
#define CSR_BADV 0x7
#define CSR_BADI 0x8
#define CSR_EENTRY 0xc
#define CSR_TLBIDX 0x10
#define CSR_TLBEHI 0x11
#define CSR_TLBELO0 0x12
#define CSR_TLBELO1 0x13
#define CSR_GTLBC 0x15
#define CSR_ASID 0x18
#define CSR_PGDL 0x19
#define CSR_PGDH 0x1a
#define CSR_PGD 0x1b
#define CSR_PWCL 0x1c
#define CSR_PWCH 0x1d
#define CSR_STLBPS 0x1e
#define CSR_RVACFG 0x1f
#define CSR_CPUID 0x20
#define CSR_SAVE0 0x30
#define CSR_SAVE1 0x31
#define CSR_SAVE2 0x32
#define CSR_SAVE3 0x33
#define CSR_SAVE4 0x34
#define CSR_SAVE5 0x35
#define CSR_SAVE6 0x36
#define CSR_SAVE7 0x37
#define CSR_TID 0x40
#define CSR_TCFG 0x41
#define CSR_TVAL 0x42
#define CSR_CNTC 0x43
#define CSR_TICLR 0x44
#define CSR_GSTAT 0x50
#define CSR_GCFG 0x51
#define CSR_GINTC 0x52
#define CSR_GCNTC 0x53
#define CSR_LLBCTL 0x60
#define CSR_IMPCTL1 0x80
#define CSR_TLBRENTRY 0x88
#define CSR_TLBRBADV 0x89
#define CSR_TLBRERA 0x8a
#define CSR_TLBRSAVE 0x8b
#define CSR_TLBRELO0 0x8c
#define CSR_TLBRELO1 0x8d
#define CSR_TLBREHI 0x8e
#define CSR_TLBRPRMD 0x8f
#define CSR_DMW0 0x180
#define CSR_DMW1 0x181
#define CSR_DMW2 0x182
#define CSR_DMW3 0x183
#define CSR_DBG 0x500

#define CRMD_IE 0x4
#define CRMD_DA 0x8
#define CRMD_PG 0x10
#define PRMD_PIE 0x4

#define GSTAT_PGM 0x2
#define GSTAT_GID_SHIFT 16
#define GTLBC_USETGID 0x1000
#define GTLBC_TOTI 0x2000
#define GTLBC_TGID_SHIFT 16
#define GCFG_MATC_ROOT 0x10
#define GCFG_GCI_SECURE 0x200000
#define GCFG_TIT 0x200

/* IOCSR: inter-processor interrupts of this CPU, and sending them. */
#define IOCSR_IPI_STATUS 0x1000
#define IOCSR_IPI_ENABLE 0x1004
#define IOCSR_IPI_SET 0x1008
#define IOCSR_IPI_CLEAR 0x100c
#define IOCSR_MAILBOX 0x1020
#define IOCSR_IPI_SEND 0x1040
#define IOCSR_MAIL_SEND 0x1048
#define IPI_SEND_CPU_SHIFT 16
#define MAIL_SEND_BOX_SHIFT 2

#define IS_TIMER (1 << 11)
#define IS_IPI (1 << 12)

#define ECODE_INT 0x0
#define ECODE_PIL 0x1
#define ECODE_PIS 0x2
#define ECODE_PIF 0x3
#define ECODE_PME 0x4
#define ECODE_PNR 0x5
#define ECODE_PNX 0x6
#define ECODE_ADE 0x8
#define ECODE_INE 0xd
#define ECODE_GSPR 0x16
#define ECODE_HVC 0x17

/* Direct mapping windows: 0x8000... uncached (devices), 0x9000... cached (everything else). */
#define WINDOW_UNCACHED 0x8000000000000000
#define WINDOW_CACHED 0x9000000000000000
#define DMW_PLV0 0x1
#define DMW_CACHED 0x10

#ifndef __ASSEMBLER__
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define csr_read(n) ({ u64 v_; __asm__ volatile("csrrd %0, %1" : "=r"(v_) : "i"(n)); v_; })
#define csr_write(n, v) ({ u64 v_ = (v); __asm__ volatile("csrwr %0, %1" : "+r"(v_) : "i"(n) : "memory"); v_; })
#define csr_xchg(n, v, mask) \
  ({ u64 v_ = (v); __asm__ volatile("csrxchg %0, %1, %2" : "+r"(v_) : "r"((u64)(mask)), "i"(n) : "memory"); v_; })
#define gcsr_read(n) ({ u64 v_; __asm__ volatile("gcsrrd %0, %1" : "=r"(v_) : "i"(n)); v_; })
#define gcsr_write(n, v) ({ u64 v_ = (v); __asm__ volatile("gcsrwr %0, %1" : "+r"(v_) : "i"(n) : "memory"); v_; })
#define gcsr_xchg(n, v, mask) \
  ({ u64 v_ = (v); __asm__ volatile("gcsrxchg %0, %1, %2" : "+r"(v_) : "r"((u64)(mask)), "i"(n) : "memory"); v_; })

static inline u32 cpucfg(u32 word) {
  u32 v;
  __asm__ volatile("cpucfg %0, %1" : "=r"(v) : "r"(word));
  return v;
}

static inline u32 iocsr_read32(u64 address) {
  u32 v;
  __asm__ volatile("iocsrrd.w %0, %1" : "=r"(v) : "r"(address) : "memory");
  return v;
}
static inline void iocsr_write32(u64 address, u32 value) {
  __asm__ volatile("iocsrwr.w %0, %1" : : "r"(value), "r"(address) : "memory");
}
static inline void iocsr_write64(u64 address, u64 value) {
  __asm__ volatile("iocsrwr.d %0, %1" : : "r"(value), "r"(address) : "memory");
}

/* An inter-processor interrupt with number `action` to a CPU. */
static inline void ipi_send(unsigned cpu, unsigned action) {
  iocsr_write32(IOCSR_IPI_SEND, (u32)cpu << IPI_SEND_CPU_SHIFT | action);
}
/* 64 bits into mailbox 0 of a CPU: two masked 32-bit writes, high half first. */
static inline void mail_send(unsigned cpu, u64 value) {
  u64 to = (u64)cpu << IPI_SEND_CPU_SHIFT;
  iocsr_write64(IOCSR_MAIL_SEND, (value & ~0xfffffffful) | to | 1 << MAIL_SEND_BOX_SHIFT);
  iocsr_write64(IOCSR_MAIL_SEND, value << 32 | to);
}

static inline u64 rdtime(void) {
  u64 v;
  __asm__ volatile("rdtime.d %0, $zero" : "=r"(v));
  return v;
}
#endif
#endif
