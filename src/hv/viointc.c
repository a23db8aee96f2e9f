/* A guest's EIOINTC: 256 vectors, each routed to one vCPU and to one of its interrupt lines. It lives in the IOCSR space
 * (docs/board.md has the registers); the devices of virtio.c raise vectors. */
#include "vm.h"

#define ENABLE 0x1600
#define IPMAP 0x14c0
#define COREISR 0x1800
#define COREMAP 0x1c00
#define VECTORS 256

/* Lines of a vCPU from the vectors that are pending for it: a byte of IPMAP serves 32 vectors, a bit for each line. */
static void update(struct vcpu *v) {
  u64 lines = 0;
  for (unsigned group = 0; group < VECTORS / 32; group++)
    if (v->coreisr[group]) lines |= v->vm->ipmap[group];
  if (lines & ~v->lines) smp_kick(v);
  v->lines = lines;
}

/* A device raises a vector: pending where the guest routes it, until it is acknowledged in COREISR. */
void viointc_raise(struct vm *vm, unsigned vector) {
  if (!(vm->enable[vector / 32] >> (vector % 32) & 1)) return;
  unsigned to = 0;
  while (to + 1 < vm->vcpu_count && !(vm->coremap[vector] >> to & 1)) to++;
  vm->vcpus[to].coreisr[vector / 32] |= 1u << (vector % 32);
  update(&vm->vcpus[to]);
}

/* A byte of the block, or 0 when the address is not in it. */
static u8 *byte_of(struct vcpu *v, u64 address) {
  struct vm *vm = v->vm;
  if (address >= ENABLE && address < ENABLE + sizeof vm->enable) return (u8 *)vm->enable + (address - ENABLE);
  if (address >= IPMAP && address < IPMAP + sizeof vm->ipmap) return vm->ipmap + (address - IPMAP);
  if (address >= COREISR && address < COREISR + sizeof v->coreisr) return (u8 *)v->coreisr + (address - COREISR);
  if (address >= COREMAP && address < COREMAP + sizeof vm->coremap) return vm->coremap + (address - COREMAP);
  return 0;
}

u64 viointc_read(struct vcpu *v, u64 address, unsigned size) {
  u64 value = 0;
  for (unsigned k = 0; k < size; k++) {
    u8 *p = byte_of(v, address + k);
    if (p) value |= (u64)*p << (8 * k);
  }
  return value;
}

/* COREISR: writing 1 acknowledges. */
void viointc_write(struct vcpu *v, u64 address, unsigned size, u64 value) {
  for (unsigned k = 0; k < size; k++, value >>= 8) {
    u8 *p = byte_of(v, address + k);
    if (!p) continue;
    if (p >= (u8 *)v->coreisr && p < (u8 *)(v->coreisr + 8)) *p &= ~value;
    else *p = value;
  }
  update(v);
}
