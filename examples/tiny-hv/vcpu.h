/* A vCPU, for C and for the world switch. */
#define VCPU_PC 0x100
#define VCPU_CAUSE 0x108
#define VCPU_TABLE 0x110
#define VCPU_GID 0x118
#define VCPU_HOST_SP 0x120
/* Registers that enter_guest keeps on the stack. */
#define FRAME 96

#ifndef __ASSEMBLER__
typedef unsigned long u64;
struct vcpu {
  u64 regs[32];
  u64 pc;
  u64 cause;
  u64 table;
  u64 gid;
  u64 host_sp;
};
#endif
