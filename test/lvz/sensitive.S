/* What exits and what does not (docs/lvz.md, "What exits and what does not"). */
#include "lvz.h"
  /* A guest instruction that exits with GSPR at PLV 0. */
  .macro EXITS name, insn:vararg
  GUEST 773f
  EXITED "\name exits with GSPR", GSPR
  EXIT_IS "\name: ERA is the instruction", exit_era, 773f
  EXIT_WORD "\name: BADI is its word", 773f
  b 774f
773:
  \insn
  DONE
774:
  .endm
  /* A guest instruction that the guest handles itself at PLV 0: `ecode` in G.ESTAT, or none. */
  .macro INSIDE name, ecode, insn:vararg
  SET_GCSR ESTAT, 0
  GUEST 773f
  EXITED "\name does not exit", HVC
  gcsrrd $s7, ESTAT
  bstrpick.d $s7, $s7, 21, 16
  CHECK "\name: the guest's cause", $s7, \ecode
  b 774f
773:
  \insn
  DONE
774:
  .endm
  /* The same at PLV 3: expects `ecode` inside. */
  .macro USER name, ecode, insn:vararg
  SET_GCSR ESTAT, 0
  SET_GCSR CRMD, 0xb
  GUEST 773f
  EXITED "\name at PLV 3 does not exit", HVC
  gcsrrd $s7, ESTAT
  bstrpick.d $s7, $s7, 21, 16
  CHECK "\name at PLV 3: the guest's cause", $s7, \ecode
  SET_GCSR CRMD, 8
  b 774f
773:
  \insn
  syscall 0
774:
  .endm
  PROGRAM "LVZ: what exits"
  HOST
  la.pcrel $t0, guest_vector
  gcsrwr $t0, EENTRY
  EXITS "[k] cpucfg", cpucfg $t0, $zero
  EXITS "[k] iocsrrd.w", iocsrrd.w $t0, $zero
  EXITS "[k] iocsrwr.b", iocsrwr.b $t0, $zero
  EXITS "[h] idle", idle 0
  EXITS "[k] csrrd of IMPCTL1", csrrd $t0, 0x80
  EXITS "[k] csrwr of DBG", csrwr $t0, 0x500
  EXITS "[k] csrxchg of GSTAT", csrxchg $t0, $t1, GSTAT
  EXITS "[k] csrrd of GTLBC", csrrd $t0, GTLBC
  EXITS "[k] csrrd of MERRCTL", csrrd $t0, 0x90
  EXITS "[k] csrrd of a watchpoint register", csrrd $t0, 0x381
  EXITS "[c] dbcl", .word 0x002a8000
  INSIDE "[k] a CSR of the bank", 0, csrrd $t0, EENTRY
  INSIDE "[c] a number that does not exist", 0, csrrd $t0, 0x61
  INSIDE "[k] csrwr of a read-only CSR", 0, csrwr $t0, CPUID
  INSIDE "[k] syscall", SYS, syscall 0
  INSIDE "[k] break", BRK, break 0
  INSIDE "[k] an undefined word", INE, .word 0xffffffff
  INSIDE "[c] gcsrrd", INE, gcsrrd $t0, 0
  INSIDE "[c] gtlbflush", INE, .word 0x06482401
  INSIDE "[c] invtlb of a later kind", IPE, invtlb 0x12, $zero, $zero
  INSIDE "[k] invtlb 0", 0, invtlb 0, $zero, $zero
  INSIDE "[k] tlbfill", 0, tlbfill
  INSIDE "[k] rdtime.d", 0, rdtime.d $t0, $t1
  INSIDE "[k] cacop of the hit type", 0, cacop 0x10, $s4, 0
  USER "[k] a CSR of the bank", IPE, csrrd $t0, EENTRY
  USER "[k] a CSR outside", IPE, csrrd $t0, 0x80
  USER "[k] iocsrrd.w", IPE, iocsrrd.w $t0, $zero
  USER "[h] idle", IPE, idle 0
  USER "[c] hvcl", IPE, hvcl 0
  USER "[k] syscall", SYS, syscall 0
  /* cpucfg has no privilege check. */
  SET_GCSR CRMD, 0xb
  EXITS "[k] cpucfg at PLV 3", cpucfg $t0, $zero
  SET_GCSR CRMD, 8
  /* Switches. */
  SET_CSR GCFG, 0x200000
  EXITS "[k] cacop of the index type with GCI 2", cacop 8, $s4, 0
  INSIDE "[c] cacop of the hit type with GCI 2", 0, cacop 0x10, $s4, 0
  csrwr $zero, GCFG
  SET_CSR GCFG, 0x200
  EXITS "[k] a timer CSR with GCFG.TIT", csrrd $t0, TVAL
  csrwr $zero, GCFG
  INSIDE "[k] a timer CSR without", 0, csrrd $t0, TVAL
  SET gtlbc_bits, USETGID | TOTI
  GUEST flushes
  EXITED "[i] invtlb of a guest with GTLBC.TOTI exits", GSPR
  SET gtlbc_bits, USETGID
  END_PROGRAM

  .balign 8192
flushes:
  invtlb 0, $zero, $zero
  DONE
  .balign 4096
guest_vector:
  csrrd $t0, ERA
  DONE
