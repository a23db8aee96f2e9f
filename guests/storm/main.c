/* A guest that misbehaves on purpose: exits as fast as it can, stores and jumps to addresses that are not its own, executes
 * words that are no instructions. Nothing of this may disturb a neighbour; its own vector goes on behind each fault. */
#include "../lib/guest.h"

#define EXITS 20000
#define WILD 400

extern char guest_vector[];
static volatile u64 faults;

/* Continues after the instruction. A jump to an unmapped address comes back through ra. */
void guest_exception(u64 estat, u64 era, u64 badv) {
  (void)badv;
  faults++;
  u64 ecode = estat >> 16 & 0x3f;
  csr_write(CSR_ERA, ecode == ECODE_ADE && era == badv ? era : era + 4);
}

void guest_main(u64 gid, const char *append) {
  (void)append;
  csr_write(CSR_EENTRY, (u64)guest_vector);
  for (u64 i = 0; i < EXITS; i++) {
    if (i % 3 == 0) hypercall(99, i);
    else if (i % 3 == 1) cpucfg(i % 40);
    else __asm__ volatile("iocsrrd.d $zero, %0" : : "r"(i * 8));
  }
  u64 x = gid * 0x9e3779b97f4a7c15ul;
  for (unsigned i = 0; i < WILD; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    /* Everywhere except its own RAM: RAM of other guests and of the hypervisor, devices, holes. */
    u64 wild = (x & 0xfffffffff8ul) | 0x30000000ul;
    *(volatile u64 *)wild = x;
    x += *(volatile u32 *)(wild ^ 0x1000);
    __asm__ volatile(".word 0xffffffff\n .word 0x00000001\n invtlb 0x12, $zero, $zero\n" ::: "memory");
  }
  put("storm: ");
  put_dec(EXITS);
  put(" exits, ");
  put_dec(faults);
  put(" faults of its own\n");
  finish(0);
}
