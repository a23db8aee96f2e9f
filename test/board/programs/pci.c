/* PCI and a transitional virtio disk as kernels for QEMU's board drive them: a network card in slot 1, a disk in slot 2. */
#include "board.h"

#define BAR0 0x10
#define BAR4 0x20
#define DISK_PORTS 0x5000
#define PAGE 4096
#define STATUS 0x12

static u8 queue[8 * PAGE] __attribute__((aligned(PAGE)));
static struct { u32 type, reserved; u64 sector; } header;
static u8 data[512], status;
static u16 offered;

static u32 queue_size;
static void descriptor(u32 n, const void *at, u32 length, u16 flags) {
  u64 *d = (u64 *)(queue + 16 * n);
  d[0] = (u64)at;
  d[1] = (u64)length | (u64)flags << 32 | (u64)(n + 1) << 48;
}

/* A request of the legacy interface, for one sector. */
static u8 request(u32 type, u64 sector) {
  header.type = type, header.sector = sector, status = 0xff;
  descriptor(0, &header, 16, 1);
  descriptor(1, data, 512, type ? 1 : 3);
  descriptor(2, (void *)&status, 1, 2);
  volatile u16 *available = (u16 *)(queue + 16 * queue_size);
  available[2 + offered % queue_size] = 0;
  barrier();
  available[1] = ++offered;
  barrier();
  put16(PORT(DISK_PORTS) + 0x10, 0);
  volatile u16 *used = (u16 *)(((u64)(available + 2 + queue_size) + PAGE - 1) & -(u64)PAGE);
  for (u32 n = 0; used[1] != offered && n < 100000000; n++) barrier();
  return *(volatile u8 *)&status;
}

void program(void) {
  u32 net = find(0x10001af4), disk = find(0x10011af4);
  print("# PCI\n");
  check("a transitional network card is in slot 1", net, 1);
  check("a transitional disk is in slot 2", disk, 2);
  check("its revision and class", get32(CONFIG(disk) + 8), 0x01000000);
  check("its subsystem is the kind of device", get32(CONFIG(disk) + 0x2c), 0x00021af4);
  check("its interrupt pin", get8(CONFIG(disk) + 0x3d), 1);
  check("BAR 0 is at I/O ports", get32(CONFIG(disk) + BAR0) & 3, 1);
  check("BAR 4 is 64 bits wide and prefetchable", get32(CONFIG(disk) + BAR4), 0xc);
  u32 at = get8(CONFIG(disk) + 0x34), length = 0, structures = 0;
  for (; at && length < 16; at = get8(CONFIG(disk) + at + 1), length++)
    if (get8(CONFIG(disk) + at) == 9 && get8(CONFIG(disk) + at + 3) < 5) {
      structures++;
      check("a structure is behind BAR 4", get8(CONFIG(disk) + at + 4), 4);
    }
  check("the list of capabilities", length << 8 | structures, 6 << 8 | 4);

  check("behind 256 bytes: all ones", get32(CONFIG(disk) + 0x100), 0xffffffff);
  check("of any width", get8(CONFIG(disk) + 0xfff), 0xff);
  put32(CONFIG(disk) + 0x100, 0);
  check("and a write has no effect", get32(CONFIG(disk) + 0x100), 0xffffffff);
  check("a function that is not there", get32(CONFIG(disk) + 0x1000), 0xffffffff);
  check("a bus that is not there", get32(CONFIG(disk) + 0x100000), 0xffffffff);
  check("the last bus", get16(CONFIG(disk) + 0x7f00000), 0xffff);
  put32(CONFIG(disk), 0);
  check("identity is read-only", get32(CONFIG(disk)), 0x10011af4);
  put16(CONFIG(disk) + 4, 0xffff);
  check("the bits of the command register", get16(CONFIG(disk) + 4), 0x0507);
  put16(CONFIG(disk) + 4, 0);
  put8(CONFIG(disk) + 0x3c, 0x5a);
  check("the interrupt line is a scratch register", get16(CONFIG(disk) + 0x3c), 0x015a);
  put32(CONFIG(disk) + BAR0, 0xffffffff);
  check("the size of the ports", get32(CONFIG(disk) + BAR0), 0xffffff81);
  put32(CONFIG(disk) + BAR4, 0xffffffff);
  put32(CONFIG(disk) + BAR4 + 4, 0xffffffff);
  check("the size of the memory", get32(CONFIG(disk) + BAR4), 0xffffc00c);
  check("and its upper half", get32(CONFIG(disk) + BAR4 + 4), 0xffffffff);
  put32(CONFIG(disk) + BAR4, 0x40000000);
  put32(CONFIG(disk) + BAR4 + 4, 0);

  put32(CONFIG(disk) + BAR0, DISK_PORTS);
  check("ports do not answer before they are enabled", get32(PORT(DISK_PORTS)), 0xffffffff);
  put16(CONFIG(disk) + 4, 1);
  check("the disk's size by the legacy interface", get32(PORT(DISK_PORTS) + 0x14), 64);
  check("ports beside it do not answer", get16(PORT(DISK_PORTS) + 0x80), 0xffff);
  put8(PORT(DISK_PORTS) + STATUS, 0);
  put8(PORT(DISK_PORTS) + STATUS, 1);
  put8(PORT(DISK_PORTS) + STATUS, 3);
  check("an old driver becomes bus master without asking", get16(CONFIG(disk) + 4), 5);
  u32 features = get32(PORT(DISK_PORTS));
  check("a flush is offered", features >> 9 & 1, 1);
  put32(PORT(DISK_PORTS) + 4, features & 1 << 9);
  check("accepted features are kept", get32(PORT(DISK_PORTS) + 4), 1 << 9);
  put16(PORT(DISK_PORTS) + 0x0e, 0);
  queue_size = get16(PORT(DISK_PORTS) + 0x0c);
  check("the queue has 256 entries", queue_size, 256);
  check("and is nowhere yet", get32(PORT(DISK_PORTS) + 8), 0);
  put32(PORT(DISK_PORTS) + 8, (u64)queue / PAGE);
  check("its page", get32(PORT(DISK_PORTS) + 8), (u64)queue / PAGE);
  put8(PORT(DISK_PORTS) + STATUS, 7);
  check("the driver is there", get8(PORT(DISK_PORTS) + STATUS), 7);
  for (u32 n = 0; n < 512; n++) data[n] = n * 7;
  check("a sector is written", request(1, 3), 0);
  for (u32 n = 0; n < 512; n++) data[n] = 0;
  check("and read", request(0, 3), 0);
  u32 wrong = 0;
  for (u32 n = 0; n < 512; n++) wrong += data[n] != (u8)(n * 7);
  check("it is the same", wrong, 0);
  check("behind the end is an error", request(0, 64), 1);
  check("the interrupt's reason", get8(PORT(DISK_PORTS) + 0x13), 1);
  check("is gone when it was read", get8(PORT(DISK_PORTS) + 0x13), 0);

  /* MSI-X moves the configuration of the device. */
  check("no MSI-X yet", get16(CONFIG(disk) + 0x98 + 2) >> 15, 0);
  put16(CONFIG(disk) + 0x98 + 2, 0x8000);
  check("no vector for changes", get16(PORT(DISK_PORTS) + 0x14), 0xffff);
  put16(PORT(DISK_PORTS) + 0x16, 1);
  check("a vector for the queue", get16(PORT(DISK_PORTS) + 0x16), 1);
  put16(PORT(DISK_PORTS) + 0x16, 2);
  check("one that is not there", get16(PORT(DISK_PORTS) + 0x16), 0xffff);
  check("the disk's size is behind them", get32(PORT(DISK_PORTS) + 0x18), 64);
  put8(PORT(DISK_PORTS) + STATUS, 0);
  check("a reset takes the queue away", get32(PORT(DISK_PORTS) + 8), 0);

  /* The same device by the interface in memory. */
  put16(CONFIG(disk) + 4, 6);
  check("the number of queues, in memory", get16(0x40000012), 1);
  put32(CONFIG(net) + BAR0, 0xffffffff);
  check("the size of the network card's ports", get32(CONFIG(net) + BAR0), 0xffffffe1);
  end();
}
