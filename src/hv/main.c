/* The reference hypervisor: reads its guests from the command line and runs them until all have ended.
 *
 *   mem=SIZE     low RAM of the board
 *   cpus=N       CPUs of the board
 *   softtimer    guests' timers by the host's instead of the hardware's
 *   guest=NAME,image=ADDR,size=BYTES,memory=SIZE,vcpus=N,append=TEXT     one for each guest; the loader has placed the image */
#include "vm.h"

extern char __image_end[];

static u64 field(const char *guest, const char *key) {
  for (; *guest && *guest != ' '; guest++) {
    const char *p = guest, *k = key;
    while (*k && *p == *k) p++, k++;
    if (*k == 0) return parse_number(&p);
  }
  return 0;
}

void hv_main(const char *command_line) {
  soft_timer = cmdline_find(command_line, "softtimer", 0) != 0;
  cpu_check();
  cpu_enter_host_mode();

  const char *mem = cmdline_find(command_line, "mem=", 0);
  u64 end = mem ? parse_number(&mem) : 0x8000000;
  if (end > 0x10000000) end = 0x10000000; /* low RAM; the rest is above 2 GiB */
  for (unsigned i = 0;; i++) { /* images lie at the end of low RAM: allocate below them */
    const char *guest = cmdline_find(command_line, "guest=", i);
    if (!guest) break;
    u64 image = field(guest, ",image=");
    if (image < end) end = image;
  }
  memory_init(phys(__image_end), end);

  for (unsigned i = 0;; i++) {
    const char *guest = cmdline_find(command_line, "guest=", i);
    if (!guest) break;
    char name[32], append[64] = "";
    const char *p = guest;
    parse_word(&p, name, sizeof name);
    for (; *p && *p != ' '; p++)
      if (p[0] == ',' && p[1] == 'a' && p[2] == 'p') {
        p += 8; /* ",append=" */
        parse_word(&p, append, sizeof append);
        break;
      }
    u64 vcpus = field(guest, ",vcpus=");
    u64 memory = field(guest, ",memory="), image = field(guest, ",image="), size = field(guest, ",size=");
    struct vm *vm = vm_create(name, memory ? memory : 0x1000000, vcpus, append);
    vm_load_elf(vm, cached(image), size);
    console_printf("hv: guest %s: GID %u, %u MiB at %x, entry %x\n", vm->name, vm->gid, vm->memory >> 20, vm->ram_hpa,
                   vm->vcpus[0].pc);
  }
  if (vm_count == 0) panic("no guest on the command line");
  const char *cpus = cmdline_find(command_line, "cpus=", 0);
  percpus[cpu_index()].online = 1;
  if (cpus) smp_start(parse_number(&cpus));
  schedule();
  console_write("hv: all guests have ended, power off\n");
  power_off();
}
