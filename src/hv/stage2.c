/* Stage-2 page tables: guest physical to host physical, four levels, 4 KiB pages and 2 MiB blocks.
 * The refill handler walks them with lddir and ldpte, so an absent directory entry points to a table of absent
 * entries instead of being 0, and an absent page has V = 0. */
#include "vm.h"

#define ENTRIES 512
#define LEVELS 4
#define PAGE PAGE_SIZE
#define BLOCK 0x200000ul
#define PTE_HUGE 0x40ul
#define PTE_HGLOBAL 0x1000ul

/* Tables of absent entries, one for each level, shared by all VMs; [0] is a page table with V = 0 everywhere. */
static u64 *absent[LEVELS];

static u64 *table_alloc(unsigned level) {
  u64 *t = page_alloc(PAGE, PAGE);
  if (level)
    for (unsigned i = 0; i < ENTRIES; i++) t[i] = phys(absent[level - 1]);
  return t;
}

u64 *stage2_create(void) {
  if (!absent[0])
    for (unsigned level = 0; level < LEVELS; level++) absent[level] = table_alloc(level);
  return table_alloc(LEVELS - 1);
}

static unsigned index_of(u64 gpa, unsigned level) { return (gpa >> (12 + 9 * level)) & (ENTRIES - 1); }

/* Replaces a 2 MiB block by a page table that maps the same. */
static u64 *split(u64 *slot) {
  u64 *t = page_alloc(PAGE, PAGE), entry = *slot & ~(PTE_HUGE | PTE_HGLOBAL);
  for (unsigned i = 0; i < ENTRIES; i++) t[i] = entry + i * PAGE;
  *slot = phys(t);
  return t;
}

/* The slot that maps `gpa` at `level` (0: page, 1: 2 MiB block). Missing tables above it are allocated. */
static u64 *slot_of(struct vm *vm, u64 gpa, unsigned level) {
  u64 *t = vm->stage2;
  for (unsigned l = LEVELS - 1; l > level; l--) {
    u64 *slot = &t[index_of(gpa, l)];
    if (*slot == phys(absent[l - 1])) *slot = phys(table_alloc(l - 1));
    t = *slot & PTE_HUGE ? split(slot) : cached(*slot);
  }
  return &t[index_of(gpa, level)];
}

static int block_fits(u64 gpa, u64 hpa, u64 size) { return ((gpa | hpa) & (BLOCK - 1)) == 0 && size >= BLOCK; }

void stage2_map(struct vm *vm, u64 gpa, u64 hpa, u64 size, u64 flags) {
  u64 start = gpa, total = size;
  while (size) {
    u64 step = PAGE;
    if (block_fits(gpa, hpa, size)) {
      *slot_of(vm, gpa, 1) = hpa | flags | PTE_HUGE;
      step = BLOCK;
    } else {
      *slot_of(vm, gpa, 0) = hpa | flags;
    }
    gpa += step, hpa += step, size -= step;
  }
  smp_flush_stage2(vm->gid, start, total);
}

void stage2_unmap(struct vm *vm, u64 gpa, u64 size) {
  for (u64 a = gpa; a < gpa + size; a += PAGE) *slot_of(vm, a, 0) = 0;
  smp_flush_stage2(vm->gid, gpa, size);
}

/* Changes the permissions of pages that are mapped; the others stay absent. */
void stage2_protect(struct vm *vm, u64 gpa, u64 size, u64 flags) {
  for (u64 a = gpa; a < gpa + size; a += PAGE) {
    u64 *slot = slot_of(vm, a, 0);
    if (*slot & PTE_V) *slot = (*slot & ~(PAGE - 1)) | flags;
  }
  smp_flush_stage2(vm->gid, gpa, size);
}

/* The entry that maps `gpa`, flags included and with the offset of `gpa` in a block added; 0 when absent. */
u64 stage2_lookup(struct vm *vm, u64 gpa) {
  u64 *t = vm->stage2;
  for (unsigned level = LEVELS - 1; level > 0; level--) {
    u64 entry = t[index_of(gpa, level)];
    if (entry & PTE_HUGE) return (entry & ~PTE_HUGE) + (gpa & (BLOCK - 1) & ~(PAGE - 1));
    t = cached(entry);
  }
  return t[index_of(gpa, 0)] & PTE_V ? t[index_of(gpa, 0)] : 0;
}
