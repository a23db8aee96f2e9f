/* The RAM of the VMs: blocks of 2 MiB. The guest's code is in the block of GUEST_START; block 0 stays unmapped. */
#include "lab.h"

extern const u64 guest_image[];
extern const char guest_size[];

u64 stage2[VMS][BLOCKS] __attribute__((aligned(4096)));

u64 physical(const void *address) { return (u64)address & 0xffffffffffff; }

/* Copies the guest's code into the RAM of a VM. */
void load_guest(unsigned vm) {
  u64 *to = (u64 *)(WINDOW_CACHED | (VM_RAM(vm) + GUEST_START));
  for (u64 n = 0; n < (u64)guest_size; n += 8) to[n / 8] = guest_image[n / 8];
}

/* Maps the block with the guest's code. */
void map_ram(unsigned vm) { stage2[vm][GUEST_START >> BLOCK_SHIFT] = (VM_RAM(vm) + GUEST_START) | PTE_RAM; }
