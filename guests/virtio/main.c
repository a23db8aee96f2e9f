/* A virtio-mmio console and a block device, with interrupts that the EIOINTC routes to the second vCPU (vcpus=2), or to the
 * only one. */
#include "../lib/guest.h"

#define CONSOLE 0x20000000ul
#define BLOCK 0x20000200ul
#define CONSOLE_VECTOR 4
#define BLOCK_VECTOR 5
#define SIZE 8

struct descriptor {
  u64 address;
  u32 length;
  u16 flags, next;
};
#define NEXT 1
#define WRITE 2
struct queue {
  struct descriptor table[SIZE];
  u16 avail[3 + SIZE] __attribute__((aligned(8)));
  struct { u16 flags, index; struct { u32 id, length; } ring[SIZE]; u16 event; } used __attribute__((aligned(8)));
};
static struct queue console_queue, block_queue;
static volatile u64 interrupts[2], taken_by[2], ready, stop;
char secondary_stack[4096] __attribute__((aligned(16)));
extern char guest_vector[], secondary_start[];
static u64 wrong;

#define REG(device, offset) (*(volatile u32 *)((device) + (offset)))

static void report(const char *what, int good) {
  put(good ? "virtio: ok   " : "virtio: FAIL ");
  put(what);
  put("\n");
  if (!good) wrong++;
}

/* Acknowledges at the device and in COREISR. */
void guest_exception(u64 estat, u64 era, u64 badv) {
  (void)era, (void)badv, (void)estat;
  u32 pending = iocsr_read32(0x1800);
  for (unsigned k = 0; k < 2; k++)
    if (pending >> (CONSOLE_VECTOR + k) & 1) {
      u64 device = k ? BLOCK : CONSOLE;
      REG(device, 0x64) = REG(device, 0x60);
      taken_by[k] = csr_read(CSR_CPUID);
      interrupts[k]++;
    }
  iocsr_write32(0x1800, pending);
}

static void listen(void) {
  csr_write(CSR_EENTRY, (u64)guest_vector);
  csr_write(CSR_ECFG, 1 << 3); /* HWI1 */
  csr_xchg(CSR_CRMD, CRMD_IE, CRMD_IE);
}

void secondary_main(void) {
  listen();
  ready = 1;
  while (!stop) __asm__ volatile("idle 0" ::: "memory");
}

static void set_up(u64 device, unsigned index, struct queue *q) {
  REG(device, 0x70) = 0;
  REG(device, 0x70) = 3;  /* acknowledged, driver */
  REG(device, 0x70) = 11; /* features ok */
  REG(device, 0x30) = index;
  REG(device, 0x38) = SIZE;
  const void *areas[] = {q->table, q->avail, &q->used};
  for (unsigned k = 0; k < 3; k++) {
    REG(device, 0x80 + 0x10 * k) = (u64)areas[k];
    REG(device, 0x84 + 0x10 * k) = (u64)areas[k] >> 32;
  }
  REG(device, 0x44) = 1;
  REG(device, 0x70) = 15;
}

/* The chain that begins at descriptor 0. */
static void submit(u64 device, unsigned index, struct queue *q) {
  volatile struct queue *v = q;
  v->avail[2 + v->avail[1] % SIZE] = 0;
  __asm__ volatile("dbar 0" ::: "memory");
  v->avail[1]++;
  REG(device, 0x50) = index;
}

static u8 request(u32 type, u64 sector, void *data, u32 length) {
  static struct { u32 type, reserved; u64 sector; } header;
  static volatile u8 status;
  header.type = type, header.sector = sector, status = 0xff;
  block_queue.table[0] = (struct descriptor){(u64)&header, 16, NEXT, 1};
  block_queue.table[1] = (struct descriptor){(u64)data, length, NEXT | (type == 0 ? WRITE : 0), 2};
  block_queue.table[2] = (struct descriptor){(u64)&status, 1, WRITE, 0};
  submit(BLOCK, 0, &block_queue);
  return status;
}

void guest_main(u64 gid, const char *append) {
  (void)gid, (void)append;
  static char text[] = "written through the virtio console\n";
  static u64 out[128], in[128];
  u64 listener = guest_vcpus > 1;
  if (listener) {
    mail_send(1, (u64)secondary_start);
    while (!ready) hypercall(HYPERCALL_YIELD, 0);
  } else
    listen();
  iocsr_write32(0x14c0, 0x02020202);                        /* vectors 0 to 127 to HWI1 */
  iocsr_write32(0x1c04, 0x0101 << listener);                /* vectors 4 and 5 to the listener */
  iocsr_write32(0x1600, 1 << CONSOLE_VECTOR | 1 << BLOCK_VECTOR);
  report("magic, version and kinds", REG(CONSOLE, 0) == 0x74726976 && REG(CONSOLE, 4) == 2 && REG(CONSOLE, 8) == 3 && REG(BLOCK, 8) == 2);
  set_up(CONSOLE, 1, &console_queue);
  console_queue.table[0] = (struct descriptor){(u64)text, sizeof text - 1, 0, 0};
  submit(CONSOLE, 1, &console_queue);
  set_up(BLOCK, 0, &block_queue);
  u64 sectors = REG(BLOCK, 0x100);
  for (unsigned i = 0; i < 128; i++) out[i] = i * 0x0123456789abcdeful;
  u8 written = request(1, 4, out, sizeof out), read = request(0, 4, in, sizeof in);
  u64 bad = 0;
  for (unsigned i = 0; i < 128; i++) bad += in[i] != out[i];
  report("two sectors written and read back", written == 0 && read == 0 && bad == 0);
  read = request(0, 0, in, 512);
  report("a sector never written reads 0", read == 0 && in[0] == 0 && in[63] == 0);
  report("a sector beyond the end is an error", request(0, sectors, in, 512) == 1);
  while (interrupts[1] == 0) hypercall(HYPERCALL_YIELD, 0);
  report("interrupts of both devices, on the vCPU that they are routed to",
         interrupts[0] > 0 && taken_by[0] == listener && taken_by[1] == listener);
  stop = 1;
  finish(wrong != 0);
}
