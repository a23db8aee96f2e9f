/* Virtual machines, vCPUs and the interfaces between the parts of the hypervisor. */
#ifndef HV_VM_H
#define HV_VM_H

#include "context.h"
#include "csr.h"

/* Offsets of this struct are those of context.h. */
struct vcpu {
  u64 gpr[32];
  u64 pc;
  u64 stage2_root;
  u64 gid;
  u64 exit_estat, exit_badv, exit_badi;
  u64 host[14];
  u64 gcsr[GCSR_COUNT];
  /* Only C looks at what follows. */
  struct vm *vm;
  unsigned index; /* in its VM */
  u64 parked_at;  /* rdtime when the vCPU gave the guest CSR bank away */
  int started;    /* a secondary waits for an address in its mailbox 0 */
  int halted;     /* waits for an interrupt after `idle` */
  int loaded;     /* some CPU has its CSRs in the guest bank and runs it */
  unsigned cpu;   /* which, or the last one */
  u64 exits;
  u32 ipi_status, ipi_enable; /* its inter-processor interrupts, as its IOCSRs show them */
  u64 mailbox[4];
  u32 coreisr[8]; /* EIOINTC vectors pending for this vCPU, and the lines they drive */
  u64 lines;
  u64 timer_tcfg, timer_count, timer_deadline; /* vtimer.c */
};

_Static_assert(__builtin_offsetof(struct vcpu, pc) == CTX_PC, "context.h: CTX_PC");
_Static_assert(__builtin_offsetof(struct vcpu, stage2_root) == CTX_STAGE2_ROOT, "context.h: CTX_STAGE2_ROOT");
_Static_assert(__builtin_offsetof(struct vcpu, gid) == CTX_GID, "context.h: CTX_GID");
_Static_assert(__builtin_offsetof(struct vcpu, exit_estat) == CTX_EXIT_ESTAT, "context.h: CTX_EXIT_ESTAT");
_Static_assert(__builtin_offsetof(struct vcpu, exit_badi) == CTX_EXIT_BADI, "context.h: CTX_EXIT_BADI");
_Static_assert(__builtin_offsetof(struct vcpu, host) == CTX_HOST, "context.h: CTX_HOST");
_Static_assert(__builtin_offsetof(struct vcpu, gcsr) == CTX_GCSR, "context.h: CTX_GCSR");
_Static_assert(__builtin_offsetof(struct vcpu, vm) <= CTX_SIZE, "context.h: CTX_SIZE");

/* Guest RAM begins here; below it nothing is mapped, so that a jump through a vector that was never set exits
 * instead of running whatever lies at address 0. */
#define GUEST_RAM_BASE 0x200000ul
#define GUEST_UART 0x1fe001e0ul
#define GUEST_POWER 0x100e001cul
#define GUEST_VIRTIO_CONSOLE 0x20000000ul
#define GUEST_VIRTIO_BLOCK 0x20000200ul
#define VIRTIO_SIZE 0x200ul
#define VIRTIO_CONSOLE_VECTOR 4
#define VIRTIO_BLOCK_VECTOR 5
#define GUEST_UART_LINE 0 /* HWI0 of the guest: G.ESTAT.IS[2] */

#define MAX_VCPUS 4

/* virtio.c */
#define VIRTIO_QUEUES 2
#define VIRTIO_BLOCK 2
#define VIRTIO_CONSOLE 3
#define DISK_SIZE 0x10000ul
struct virtqueue {
  u64 address[3]; /* descriptors, driver area, device area */
  u16 size, ready, seen;
};
struct virtio {
  u32 id, vector, status, selected, features_word, interrupt;
  struct virtqueue queues[VIRTIO_QUEUES];
};

struct vm {
  char name[32];
  char append[64];
  u64 gid;
  u64 memory;      /* bytes of guest RAM */
  u64 ram_hpa;     /* host physical address of guest RAM, contiguous */
  u64 *stage2;     /* top-level stage-2 table */
  int running;
  u64 status;      /* what the guest passed to the exit hypercall */
  char line[120];  /* console output until the newline */
  unsigned column;
  u8 uart_ier, uart_lcr, uart_scr;
  int uart_tx_pending; /* transmitter-empty interrupt not yet acknowledged */
  u64 lines;           /* levels of the guest's hardware interrupts, GINTC.HWIS */
  u64 strays;          /* accesses to addresses without a device */
  u64 dirty_pages;     /* pages stored to while their stores were logged */
  u64 exits_by_ecode[64];
  u32 enable[8]; /* EIOINTC */
  u8 ipmap[8], coremap[256];
  struct virtio console, block;
  u8 *disk;
  unsigned vcpu_count;
  struct vcpu vcpus[MAX_VCPUS];
};

#define MAX_VMS 8
extern struct vm vms[MAX_VMS];
extern unsigned vm_count;
/* Every vCPU's saved context, for debuggers: they find this array by its name and the layout in context.h. */
extern struct vcpu *hv_vcpus[MAX_VMS * MAX_VCPUS];
extern unsigned hv_vcpu_count;

/* The state of a CPU. */
#define MAX_CPUS 8
struct percpu {
  int online;
  int idle;             /* waits in the scheduler for something to run */
  struct vcpu *loaded;  /* whose CSRs are in the guest bank */
  struct vcpu *running; /* whose time slice it is; 0 ends the slice */
  u64 flushed;          /* the last TLB flush request that this CPU has carried out */
  struct vcpu *stage1_of[MAX_VMS + 1]; /* by GID: the vCPU whose guest-type translations the TLB may hold */
};
extern struct percpu percpus[MAX_CPUS];
static inline unsigned cpu_index(void) { return csr_read(CSR_CPUID) & 0x1ff; }
static inline struct percpu *this_cpu(void) { return &percpus[cpu_index()]; }

/* run_guest.S: enters the guest; returns at the next exit. */
void _run_guest(struct vcpu *vcpu);
void _save_guest_csrs(struct vcpu *vcpu);
void _load_guest_csrs(struct vcpu *vcpu);
extern char _guest_exit[], _host_vector[], _tlb_refill[];

/* cpu.c */
void cpu_check(void);
void cpu_enter_host_mode(void);

/* smp.c: one lock for all of the hypervisor, held by every CPU that is not in a guest and not waiting. */
void hv_lock(void);
void hv_unlock(void);
void smp_start(unsigned cpus);
void smp_ipi_received(void);
void smp_kick(struct vcpu *vcpu);
void smp_kick_idle(void);
void smp_kick_all(void);
void smp_flush_stage2(u64 gid, u64 gpa, u64 size);

/* stage2.c: GPA to HPA. `flags` are PTE_ bits. */
#define PTE_V 0x1ul
#define PTE_D 0x2ul
#define PTE_CACHED 0x10ul
#define PTE_GUEST_RAM (PTE_V | PTE_D | PTE_CACHED)
#define PTE_LOGGED (PTE_V | PTE_CACHED) /* clean: the first store exits with PME */
#define PAGE_SIZE 0x1000ul
u64 *stage2_create(void);
void stage2_map(struct vm *vm, u64 gpa, u64 hpa, u64 size, u64 flags);
void stage2_unmap(struct vm *vm, u64 gpa, u64 size);
void stage2_protect(struct vm *vm, u64 gpa, u64 size, u64 flags);
u64 stage2_lookup(struct vm *vm, u64 gpa);

/* vcpu.c */
void vcpu_init(struct vm *vm, u64 entry);
void vcpu_start(struct vcpu *vcpu, u64 entry);
void vcpu_load(struct vcpu *vcpu);
void vcpu_put(struct vcpu *vcpu);
void vcpu_inject_pending(struct vcpu *vcpu);
int vcpu_pending(struct vcpu *vcpu);
u64 vcpu_ticks_to_timer(struct vcpu *vcpu);

/* vm.c */
struct vm *vm_create(const char *name, u64 memory, unsigned vcpus, const char *append);
void vm_load_elf(struct vm *vm, const u8 *image, u64 size);
void vm_stop(struct vm *vm, u64 status);
void *vm_pointer(struct vm *vm, u64 gpa);

/* exit.c and what it dispatches to */
void handle_exit(struct vcpu *vcpu);
void handle_mmio(struct vcpu *vcpu);
int handle_ram_fault(struct vcpu *vcpu, u64 ecode);
void handle_gspr(struct vcpu *vcpu);
void handle_hypercall(struct vcpu *vcpu);
u64 viocsr_read(struct vcpu *vcpu, u64 address, unsigned size);
u64 viointc_read(struct vcpu *vcpu, u64 address, unsigned size);
void viointc_write(struct vcpu *vcpu, u64 address, unsigned size, u64 value);
void viointc_raise(struct vm *vm, unsigned vector);
u64 virtio_read(struct vm *vm, struct virtio *device, u64 offset);
void virtio_write(struct vm *vm, struct virtio *device, u64 offset, u64 value);
void viocsr_write(struct vcpu *vcpu, u64 address, unsigned size, u64 value);
void inject_exception(struct vcpu *vcpu, u64 ecode, u64 esubcode, u64 badv);
void inject_line(struct vm *vm, unsigned line, int level);
u64 vuart_read(struct vm *vm, u64 offset);
void vuart_write(struct vm *vm, u64 offset, u64 value);

/* vtimer.c */
extern int soft_timer;
void vtimer_expire(struct vcpu *vcpu);
u64 vtimer_ticks(struct vcpu *vcpu);
void vtimer_access(struct vcpu *vcpu, unsigned csr, unsigned rd, unsigned rj);

/* sched.c: runs guests on this CPU until all have ended. */
void schedule(void);

/* console.c */
void console_write(const char *text);
void console_printf(const char *format, ...);
void vm_console_putchar(struct vm *vm, char c);
void vm_console_flush(struct vm *vm);
void panic(const char *format, ...) __attribute__((noreturn));
void power_off(void) __attribute__((noreturn));

/* memory.c */
void memory_init(u64 start, u64 end);
void *page_alloc(u64 bytes, u64 align);
static inline u64 phys(const void *p) { return (u64)p & 0xffffffffffff; }
static inline void *cached(u64 pa) { return (void *)(pa | WINDOW_CACHED); }
static inline volatile u8 *device(u64 pa) { return (volatile u8 *)(pa | WINDOW_UNCACHED); }
void *memcpy(void *to, const void *from, u64 n);
void *memset(void *to, int c, u64 n);

/* cmdline.c */
const char *cmdline_find(const char *line, const char *key, unsigned nth);
u64 parse_number(const char **text);
void parse_word(const char **text, char *out, unsigned size);

#endif
