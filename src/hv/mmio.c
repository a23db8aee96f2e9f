/* Stage-2 faults outside guest RAM are device accesses: decode the instruction in BADI, emulate it, skip it. */
#include "vm.h"

/* size in bytes; `store`, `is_signed`; −1 in size when the word is no load or store. */
struct access {
  int size, store, is_signed;
};

static struct access decode(u32 word) {
  struct access a = {-1, 0, 1};
  unsigned op = word >> 22; /* ld.b 0xa0 .. ld.d 0xa3, st.b 0xa4 .. st.d 0xa7, ld.bu 0xa8 .. ld.wu 0xaa */
  if (op >= 0xa0 && op <= 0xaa) return (struct access){1 << (op & 3), op >= 0xa4 && op <= 0xa7, op < 0xa8};
  op = word >> 24; /* ldptr.w 0x24, stptr.w 0x25, ldptr.d 0x26, stptr.d 0x27 */
  if (op >= 0x24 && op <= 0x27) return (struct access){op & 2 ? 8 : 4, op & 1, 1};
  op = word >> 15; /* ldx.b 0x7000, +8 each size; stx.b 0x7020; ldx.bu 0x7040 */
  if (op >= 0x7000 && op <= 0x7050 && !(op & 7))
    return (struct access){1 << ((op >> 3) & 3), op >= 0x7020 && op < 0x7040, op < 0x7040};
  return a;
}

/* The virtio device at an address, and the offset in it; 0 when there is none. */
static struct virtio *virtio_at(struct vm *vm, u64 gpa, u64 *offset) {
  *offset = gpa & (VIRTIO_SIZE - 1);
  if (gpa - *offset == GUEST_VIRTIO_CONSOLE) return &vm->console;
  return gpa - *offset == GUEST_VIRTIO_BLOCK ? &vm->block : 0;
}

static u64 device_read(struct vm *vm, u64 gpa) {
  u64 offset;
  struct virtio *v = virtio_at(vm, gpa, &offset);
  if (v) return virtio_read(vm, v, offset);
  if (gpa >= GUEST_UART && gpa < GUEST_UART + 8) return vuart_read(vm, gpa - GUEST_UART);
  return 0;
}

static void device_write(struct vm *vm, u64 gpa, u64 value) {
  u64 offset;
  struct virtio *v = virtio_at(vm, gpa, &offset);
  if (v) virtio_write(vm, v, offset, value);
  else if (gpa >= GUEST_UART && gpa < GUEST_UART + 8) vuart_write(vm, gpa - GUEST_UART, value);
  else if (gpa == GUEST_POWER && (value & 0x3c) == 0x34) vm_stop(vm, 0);
}

static int is_device(struct vm *vm, u64 gpa) {
  u64 offset;
  return (gpa >= GUEST_UART && gpa < GUEST_UART + 8) || (gpa & ~3ul) == GUEST_POWER || virtio_at(vm, gpa, &offset);
}

#define STRAYS_SHOWN 4

void handle_mmio(struct vcpu *v) {
  u64 gpa = v->exit_badv;
  struct access a = decode(v->exit_badi);
  unsigned rd = v->exit_badi & 31;
  if (!is_device(v->vm, gpa) || a.size < 0) {
    /* A guest that repeats this must not fill the console. */
    if (v->vm->strays++ < STRAYS_SHOWN)
      console_printf("hv: guest %s: no device at GPA %x (instruction %x at %x)%s\n", v->vm->name, gpa, v->exit_badi, v->pc,
                     v->vm->strays == STRAYS_SHOWN ? "; further ones are not shown" : "");
    inject_exception(v, ECODE_ADE, 1, gpa);
    return;
  }
  v->pc += 4;
  if (a.store) {
    u64 mask = a.size == 8 ? ~0ul : (1ul << (8 * a.size)) - 1;
    device_write(v->vm, gpa, (rd ? v->gpr[rd] : 0) & mask);
  } else if (rd) {
    u64 value = device_read(v->vm, gpa);
    unsigned shift = 64 - 8 * a.size;
    v->gpr[rd] = a.is_signed ? (u64)((long)(value << shift) >> shift) : value << shift >> shift;
  }
}
