/*
 * Macros of the conformance programs. A program prints one TAP line for every check and then switches the machine off;
 * it needs nothing but a LoongArch64 board with a 16550 UART at 0x1fe001e0 and the GED's reset registers at 0x100e001c.
 *
 * Checks keep s registers; a, t and ra are scratch. Exceptions are noted (see lib/runtime.S) and the instruction is
 * skipped, unless `resume` holds an address to go on at.
 */
#define CRMD 0x0
#define PRMD 0x1
#define EUEN 0x2
#define MISC 0x3
#define ECFG 0x4
#define ESTAT 0x5
#define ERA 0x6
#define BADV 0x7
#define BADI 0x8
#define EENTRY 0xc
#define TLBIDX 0x10
#define TLBEHI 0x11
#define TLBELO0 0x12
#define TLBELO1 0x13
#define ASID 0x18
#define PGDL 0x19
#define PGDH 0x1a
#define PGD 0x1b
#define PWCL 0x1c
#define PWCH 0x1d
#define STLBPS 0x1e
#define RVACFG 0x1f
#define CPUID 0x20
#define PRCFG1 0x21
#define PRCFG2 0x22
#define PRCFG3 0x23
#define SAVE0 0x30
#define SAVE1 0x31
#define SAVE2 0x32
#define TID 0x40
#define TCFG 0x41
#define TVAL 0x42
#define TICLR 0x44
#define LLBCTL 0x60
#define TLBRENTRY 0x88
#define TLBRBADV 0x89
#define TLBRERA 0x8a
#define TLBRSAVE 0x8b
#define TLBRELO0 0x8c
#define TLBRELO1 0x8d
#define TLBREHI 0x8e
#define MERRCTL 0x90
#define DMW0 0x180
#define DMW1 0x181
#define DMW2 0x182
#define DMW3 0x183
#define FWPC 0x380
#define FWPS 0x381
#define FWP0 0x390
#define MWPC 0x300
#define MWPS 0x301
#define MWP0 0x310

/* Ecodes. */
#define PIL 0x1
#define PIS 0x2
#define PIF 0x3
#define PME 0x4
#define PNR 0x5
#define PNX 0x6
#define PPI 0x7
#define ADE 0x8
#define ALE 0x9
#define BCE 0xa
#define SYS 0xb
#define BRK 0xc
#define INE 0xd
#define IPE 0xe
#define FPD 0xf
#define SXD 0x10
#define ASXD 0x11
#define FPE 0x12
#define WPE 0x13
#define BTD 0x14

  .macro PROGRAM name
  .text
  .globl program
program:
  addi.d $sp, $sp, -16
  st.d $ra, $sp, 0
  la.pcrel $a0, 770f
  bl print
  .pushsection .rodata
770: .asciz "# \name\n"
  .popsection
  .endm

  .macro END_PROGRAM
  ld.d $ra, $sp, 0
  addi.d $sp, $sp, 16
  ret
  .endm

  /* One line: a0 is what there is, a1 what there should be. */
  .macro REPORT text
  la.pcrel $a2, 771f
  bl check
  .pushsection .rodata
771: .asciz "\text"
  .popsection
  .endm

  /* `reg` holds `value` (64 bits). */
  .macro CHECK text, reg, value
  move $a0, \reg
  li.d $a1, \value
  REPORT "\text"
  .endm

  /* The low word of `reg` is `value`. */
  .macro CHECK_W text, reg, value
  bstrpick.d $a0, \reg, 31, 0
  li.d $a1, \value
  REPORT "\text"
  .endm

  /* No exception is noted from here on. */
  .macro FORGET
  la.pcrel $t0, trap_estat
  st.d $zero, $t0, 0
  la.pcrel $t0, trap_count
  st.d $zero, $t0, 0
  .endm

  /* The last exception was `ecode` with `esub`. Forgets it. */
  .macro TRAPPED text, ecode, esub=0
  la.pcrel $t0, trap_estat
  ld.d $a0, $t0, 0
  bstrpick.d $a0, $a0, 30, 16
  li.d $a1, (\ecode) | (\esub) << 6
  REPORT "\text"
  FORGET
  .endm

  /* No exception since the last FORGET. */
  .macro NOT_TRAPPED text
  la.pcrel $t0, trap_count
  ld.d $a0, $t0, 0
  move $a1, $zero
  REPORT "\text"
  FORGET
  .endm

  /* Reads a noted value: trap_era, trap_badv, trap_badi, trap_prmd, trap_crmd, refill_badv, refill_count. */
  .macro NOTED reg, what
  la.pcrel \reg, \what
  ld.d \reg, \reg, 0
  .endm

  /* Skips the program with a word on why when `reg` is 0. */
  .macro NEEDS reg, text
  bnez \reg, 772f
  la.pcrel $a0, 771f
  bl print
  b program_end
  .pushsection .rodata
771: .asciz "# skipped: \text\n"
  .popsection
772:
  .endm

  /* Bits `hi`:`lo` of CPUCFG word `word`. */
  .macro CPUCFG reg, word, hi, lo
  li.w \reg, \word
  cpucfg \reg, \reg
  bstrpick.d \reg, \reg, \hi, \lo
  .endm

  /* An FP or vector register from a literal. */
  .macro FLOAT_S reg, bits
  li.w $t0, \bits
  movgr2fr.w \reg, $t0
  .endm
  .macro FLOAT_D reg, bits
  li.d $t0, \bits
  movgr2fr.d \reg, $t0
  .endm
  .macro FCSR bits
  li.w $t0, \bits
  movgr2fcsr $fcsr0, $t0
  .endm
  .macro VECTOR reg, lo, hi
  li.d $t0, \lo
  vinsgr2vr.d \reg, $t0, 0
  li.d $t0, \hi
  vinsgr2vr.d \reg, $t0, 1
  .endm
  .macro CHECK_V text, reg, lo, hi
  vpickve2gr.d $s7, \reg, 0
  CHECK "\text, low", $s7, \lo
  vpickve2gr.d $s7, \reg, 1
  CHECK "\text, high", $s7, \hi
  .endm

  /* A CSR to memory, and back; counting. t0 and t1 are lost. */
  .macro NOTE csr, place
  la.pcrel $t0, \place
  csrrd $t1, \csr
  st.d $t1, $t0, 0
  .endm
  .macro GIVE csr, place
  la.pcrel $t0, \place
  ld.d $t1, $t0, 0
  csrwr $t1, \csr
  .endm
  .macro COUNT place
  la.pcrel $t0, \place
  ld.d $t1, $t0, 0
  addi.d $t1, $t1, 1
  st.d $t1, $t0, 0
  .endm
