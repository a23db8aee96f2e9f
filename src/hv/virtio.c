/* virtio-mmio (version 2) console and block device of a guest. The queues are in guest RAM; a notification works through
 * what is available at once, and raises the device's EIOINTC vector. */
#include "vm.h"

#define QUEUE_SIZE_MAX 64
#define DESC_NEXT 1
#define DESC_WRITE 2
#define BLOCK_READ 0
#define BLOCK_WRITE 1
#define SECTOR 512ul
#define FEATURE_VERSION_1 1u /* in the upper word */

enum { MAGIC = 0x000, VERSION = 0x004, DEVICE_ID = 0x008, VENDOR_ID = 0x00c, DEVICE_FEATURES = 0x010, FEATURES_SEL = 0x014,
       QUEUE_SEL = 0x030, QUEUE_NUM_MAX = 0x034, QUEUE_NUM = 0x038, QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050,
       INTERRUPT_STATUS = 0x060, INTERRUPT_ACK = 0x064, STATUS = 0x070, QUEUE_ADDRESSES = 0x080, CONFIG = 0x100 };

struct descriptor {
  u64 address;
  u32 length;
  u16 flags, next;
};

/* Guest RAM at `gpa`, when all of `size` bytes are in it. */
static void *guest(struct vm *vm, u64 gpa, u64 size) {
  return size && gpa + size > gpa && vm_pointer(vm, gpa + size - 1) ? vm_pointer(vm, gpa) : 0;
}

static void console_output(struct vm *vm, const struct descriptor *d, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    const char *text = d[i].flags & DESC_WRITE ? 0 : guest(vm, d[i].address, d[i].length);
    for (u32 k = 0; text && k < d[i].length; k++) vm_console_putchar(vm, text[k]);
  }
}

/* Header, data, status. @returns bytes written to the guest */
static u32 block_request(struct vm *vm, const struct descriptor *d, unsigned n) {
  struct { u32 type, reserved; u64 sector; } *header = n >= 2 ? guest(vm, d[0].address, 16) : 0;
  u8 *status = n >= 2 ? guest(vm, d[n - 1].address, 1) : 0;
  if (!header || !status) return 0;
  u32 written = 1;
  u64 at = header->sector * SECTOR;
  *status = 0;
  for (unsigned i = 1; i + 1 < n; i++) {
    u8 *data = guest(vm, d[i].address, d[i].length);
    if (!data || at + d[i].length > DISK_SIZE || at > DISK_SIZE || header->type > BLOCK_WRITE) {
      *status = 1;
      return written;
    }
    if (header->type == BLOCK_READ) memcpy(data, vm->disk + at, d[i].length), written += d[i].length;
    else memcpy(vm->disk + at, data, d[i].length);
    at += d[i].length;
  }
  return written;
}

static void notify(struct vm *vm, struct virtio *dev, unsigned index) {
  if (index >= VIRTIO_QUEUES) return;
  struct virtqueue *q = &dev->queues[index];
  struct descriptor *table = guest(vm, q->address[0], q->size * sizeof *table);
  u16 *avail = guest(vm, q->address[1], 6 + 2 * q->size), *used = guest(vm, q->address[2], 6 + 8 * q->size);
  if (!q->ready || !q->size || !table || !avail || !used) return;
  while (q->seen != avail[1]) {
    u16 head = avail[2 + q->seen % q->size];
    struct descriptor chain[8];
    unsigned n = 0;
    for (u16 i = head; n < 8 && i < q->size; i = table[i].next) {
      chain[n++] = table[i];
      if (!(table[i].flags & DESC_NEXT)) break;
    }
    u32 written = 0;
    if (dev->id == VIRTIO_CONSOLE) console_output(vm, chain, n);
    else written = block_request(vm, chain, n);
    u32 *entry = (u32 *)(used + 2 + 4 * (used[1] % q->size));
    entry[0] = head, entry[1] = written;
    used[1]++;
    q->seen++;
  }
  dev->interrupt = 1;
  viointc_raise(vm, dev->vector);
}

u64 virtio_read(struct vm *vm, struct virtio *dev, u64 offset) {
  (void)vm;
  struct virtqueue *q = &dev->queues[dev->selected % VIRTIO_QUEUES];
  switch (offset) {
    case MAGIC: return 0x74726976;
    case VERSION: return 2;
    case DEVICE_ID: return dev->id;
    case VENDOR_ID: return 0x6c6f6f6e;
    case DEVICE_FEATURES: return dev->features_word == 1 ? FEATURE_VERSION_1 : 0;
    case QUEUE_NUM_MAX: return dev->selected < VIRTIO_QUEUES ? QUEUE_SIZE_MAX : 0;
    case QUEUE_READY: return q->ready;
    case INTERRUPT_STATUS: return dev->interrupt;
    case STATUS: return dev->status;
    case CONFIG: return dev->id == VIRTIO_BLOCK ? DISK_SIZE / SECTOR : 0;
    default: return 0;
  }
}

void virtio_write(struct vm *vm, struct virtio *dev, u64 offset, u64 value) {
  struct virtqueue *q = &dev->queues[dev->selected % VIRTIO_QUEUES];
  switch (offset) {
    case FEATURES_SEL: dev->features_word = value; return;
    case QUEUE_SEL: dev->selected = value; return;
    case QUEUE_NUM: q->size = value <= QUEUE_SIZE_MAX ? value : 0; return;
    case QUEUE_READY: q->ready = value & 1, q->seen = 0; return;
    case QUEUE_NOTIFY: notify(vm, dev, value); return;
    case INTERRUPT_ACK: dev->interrupt &= ~value; return;
    case STATUS:
      dev->status = value;
      if (value == 0) memset(dev->queues, 0, sizeof dev->queues);
      return;
  }
  /* Descriptors, driver area, device area: low and high words, 0x10 apart. */
  if (offset >= QUEUE_ADDRESSES && offset < QUEUE_ADDRESSES + 0x30 && !(offset & 8)) {
    u64 *a = &q->address[(offset - QUEUE_ADDRESSES) >> 4];
    *a = offset & 4 ? (*a & 0xffffffff) | value << 32 : (*a & ~0xfffffffful) | (value & 0xffffffff);
  }
}
