/* Numbers of the paged hypervisor: CSRs, memory map, layout of the context. */
#ifndef COMMON_H
#define COMMON_H

#define CRMD 0x0
#define PRMD 0x1
#define EUEN 0x2
#define ECFG 0x4
#define ESTAT 0x5
#define ERA 0x6
#define BADV 0x7
#define BADI 0x8
#define EENTRY 0xc
#define GTLBC 0x15
#define ASID 0x18
#define PGDL 0x19
#define PGDH 0x1a
#define PGD 0x1b
#define PWCL 0x1c
#define PWCH 0x1d
#define STLBPS 0x1e
#define SAVE1 0x31
#define SAVE2 0x32
#define SAVE5 0x35
#define TCFG 0x41
#define TVAL 0x42
#define TICLR 0x44
#define GSTAT 0x50
#define GCFG 0x51
#define GINTC 0x52
#define GCNTC 0x53
#define TLBRENTRY 0x88
#define TLBRBADV 0x89
#define TLBRERA 0x8a
#define TLBRSAVE 0x8b
#define TLBRELO0 0x8c
#define TLBRELO1 0x8d
#define TLBREHI 0x8e
#define TLBRPRMD 0x8f
#define DMW0 0x180
#define DMW1 0x181

#define TI 0x800
#define PGM 2
#define GID_SHIFT 16
#define USETGID 0x1000
#define VD 0x13               /* a page: V D, cached */
#define GLOBAL 0x40
#define PAGE 0x4000
#define ENTRIES 2048
#define GEOMETRY_L (14 | 11 << 5 | 25 << 10 | 11 << 15)
#define GEOMETRY_H (36 | 11 << 6)
#define GUEST_BASE 0x100000   /* GPA of the guest's RAM, and where it is */
#define GUEST_PAGES 64
#define GUEST_HPA 0x4000000
#define MOVED_HPA 0x4200000
#define LAZY 0x180000         /* from here on, stage 2 is empty at first */
#define UART 0x1fe001e0
#define POWER 0x100e001c
#define VECTORS 3             /* ECFG.VS: 8 instructions for each cause */

#ifdef BREAK_gid_zero
#define GID 0
#else
#define GID 5
#endif

/* Hypercalls. */
#define CALL_PUTCHAR 0x100
#define CALL_NOTHING 0x101
#define CALL_MOVE 0x102       /* the page at LAZY gets another frame */
#define CALL_FAIL 0x103
#define CALL_INJECT 0x105     /* the guest takes a system call exception here */
#define CALL_LINE 0x104       /* guest interrupt line 0: a0 = its level */

/* The context: general registers first, then the rest. */
#define C_PC 0x100
#define C_HOST 0x108
#define C_BADV 0x180
#define C_BADI 0x188
#define C_SIZE 0x200

  .macro SET csr, value
  li.d $t0, \value
  csrwr $t0, \csr
  .endm

/* The registers that a called function preserves, ra and tp too; without one of them where that is the mistake. */
  .macro HOST_REG op, reg, slot
  \op \reg, $a0, C_HOST + 8 * \slot
  .endm
  .macro HOST_REGS op
#ifdef BREAK_host_ra
  HOST_REG \op, $ra, (0 + LOADS)
#else
  HOST_REG \op, $ra, 0
#endif
#ifndef BREAK_host_tp
  HOST_REG \op, $tp, 1
#endif
#ifndef BREAK_host_sp
  HOST_REG \op, $sp, 2
#endif
  HOST_REG \op, $fp, 3
#ifndef BREAK_host_s0
  HOST_REG \op, $s0, 4
#endif
  HOST_REG \op, $s1, 5
  HOST_REG \op, $s2, 6
  HOST_REG \op, $s3, 7
  HOST_REG \op, $s4, 8
  HOST_REG \op, $s5, 9
  HOST_REG \op, $s6, 10
  HOST_REG \op, $s7, 11
  HOST_REG \op, $s8, 12
  .endm

/* All general registers of the guest but r0, a0 and t0. */
  .macro GUEST_REGS op, base
  .irp n, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  \op $r\n, \base, 8 * \n
  .endr
  .endm

#endif
