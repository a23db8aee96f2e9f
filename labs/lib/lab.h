/* What the labs have in common, for C and for assembly. CSR numbers and fields are in csr.h. */
#ifndef LAB_H
#define LAB_H
#include "csr.h"

/* Offsets in struct vcpu. */
#define VCPU_PC 0x100
#define VCPU_ESTAT 0x108
#define VCPU_BADV 0x110
#define VCPU_BADI 0x118
#define VCPU_TABLE 0x120
#define VCPU_GID 0x128
#define VCPU_HOST_SP 0x130

#define GUEST_START 0x200000ul /* the guest's first instruction, a guest-physical address */
#define BLOCK_SHIFT 21         /* stage 2 has one table of 512 blocks of 2 MiB, no directories */
#define BLOCK (1ul << BLOCK_SHIFT)
#define BLOCKS 512
#define VMS 2
#define VM_RAM(vm) (0x4000000ul + (vm) * 0x1000000ul) /* where the RAM of a VM is, a physical address */

/* An entry of a page table: valid, writable, cached. */
#define PTE_V 0x1
#define PTE_D 0x2
#define PTE_CACHED 0x10
#define PTE_P 0x80
#define PTE_W 0x100
#define PTE_RAM (PTE_V | PTE_D | PTE_CACHED | PTE_P | PTE_W)

#define INVTLB_ALL_GUESTS 0x12
#define INVTLB_GPA 0x16

#ifndef __ASSEMBLER__
struct vcpu {
  u64 regs[32]; /* of the guest, while it does not run */
  u64 pc;
  u64 estat, badv, badi; /* of its last exit */
  u64 table;             /* physical address of its VM's stage-2 table */
  u64 gid;               /* of its VM */
  u64 host_sp;           /* the hypervisor's stack, while the guest runs */
};

void lab_main(void);

/* console.c */
void print(const char *text);
void print_char(char c);
void print_hex(u64 value);
void print_number(u64 value);
void power_off(void) __attribute__((noreturn));

/* memory.c */
extern u64 stage2[VMS][BLOCKS];
u64 physical(const void *address);
void load_guest(unsigned vm);
void map_ram(unsigned vm);

/* vcpu.c */
void host_mode(void);
void start_vcpu(struct vcpu *vcpu, unsigned vm);
u64 cause_of(const struct vcpu *vcpu);

/* The world switch: labs/h1/solution/switch.S */
void enter_guest(struct vcpu *vcpu);
#endif
#endif
