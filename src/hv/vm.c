/* Virtual machines: memory, loading the image, shutdown. */
#include "vm.h"

struct vm vms[MAX_VMS];
unsigned vm_count;

#define BLOCK 0x200000ul

struct vm *vm_create(const char *name, u64 memory, unsigned vcpus, const char *append) {
  if (vm_count == MAX_VMS) panic("more than %u guests", (u64)MAX_VMS);
  struct vm *vm = &vms[vm_count++];
  memcpy(vm->name, name, sizeof vm->name);
  memcpy(vm->append, append, sizeof vm->append);
  vm->gid = vm_count; /* 0 is the host's */
  vm->vcpu_count = vcpus < 1 ? 1 : vcpus > MAX_VCPUS ? MAX_VCPUS : vcpus;
  vm->memory = (memory + BLOCK - 1) & ~(BLOCK - 1);
  vm->ram_hpa = phys(page_alloc(vm->memory, BLOCK));
  vm->disk = page_alloc(DISK_SIZE, PAGE_SIZE);
  vm->console.id = VIRTIO_CONSOLE, vm->console.vector = VIRTIO_CONSOLE_VECTOR;
  vm->block.id = VIRTIO_BLOCK, vm->block.vector = VIRTIO_BLOCK_VECTOR;
  vm->stage2 = stage2_create();
  vm->running = 1;
  stage2_map(vm, GUEST_RAM_BASE, vm->ram_hpa, vm->memory, PTE_GUEST_RAM);
  return vm;
}

/* The hypervisor's address of guest RAM, or 0 outside of it. */
void *vm_pointer(struct vm *vm, u64 gpa) {
  if (gpa < GUEST_RAM_BASE || gpa >= GUEST_RAM_BASE + vm->memory) return 0;
  return cached(vm->ram_hpa + (gpa - GUEST_RAM_BASE));
}

struct elf_header {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  u64 entry, phoff, shoff;
  u32 flags;
  u16 ehsize, phentsize, phnum;
};
struct elf_segment {
  u32 type, flags;
  u64 offset, vaddr, paddr, filesz, memsz, align;
};
#define EM_LOONGARCH 258
#define PT_LOAD 1

void vm_load_elf(struct vm *vm, const u8 *image, u64 size) {
  const struct elf_header *h = (const void *)image;
  if (size < sizeof *h || h->ident[0] != 0x7f || h->ident[1] != 'E' || h->machine != EM_LOONGARCH)
    panic("guest %s: not an ELF file for LoongArch", vm->name);
  for (unsigned i = 0; i < h->phnum; i++) {
    const struct elf_segment *s = (const void *)(image + h->phoff + i * sizeof *s);
    if ((const u8 *)(s + 1) > image + size) panic("guest %s: image is cut short", vm->name);
    if (s->type != PT_LOAD || s->memsz == 0) continue;
    u8 *to = vm_pointer(vm, s->paddr);
    if (!to || !vm_pointer(vm, s->paddr + s->memsz - 1) || s->offset + s->filesz > size)
      panic("guest %s: segment at %x is not inside guest RAM", vm->name, s->paddr);
    memcpy(to, image + s->offset, s->filesz);
  }
  vcpu_init(vm, h->entry);
}

void vm_stop(struct vm *vm, u64 status) {
  vm_console_flush(vm);
  vm->running = 0;
  vm->status = status;
  u64 exits = 0;
  for (unsigned n = 0; n < vm->vcpu_count; n++) exits += vm->vcpus[n].exits;
  console_printf("hv: guest %s stopped with status %u after %u exits\n", vm->name, status, exits);
  smp_kick_all(); /* its other vCPUs must leave, and the last guest ends the scheduler everywhere */
}
