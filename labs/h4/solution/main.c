/* H4: a device of the hypervisor's own. The instruction that reached for it is decoded from BADI. */
#include "lab.h"

#define DEVICE 0x30000000ul
#define PUTCHAR 0
#define VALUE 8
#define A0 4

static struct vcpu vcpu;
static u64 value; /* the device's register */

/* A load or store, as its instruction word says. */
struct access {
  int valid;     /* is it one at all? */
  int store;     /* or a load */
  unsigned bits; /* 8, 16, 32 or 64 */
  int sign;      /* does a load extend the sign? */
  unsigned rd;   /* the register that is loaded or stored */
};

/* ld.b … ld.d are 0xa0 … 0xa3 in bits 31:22, st.b … st.d 0xa4 … 0xa7, ld.bu … ld.wu 0xa8 … 0xaa; rd is in bits 4:0. */
static struct access decode(u64 word) {
  struct access a = {0};
  unsigned op = word >> 22 & 0x3ff;
  a.valid = op >= 0xa0 && op <= 0xaa;
  a.store = (op & 0xc) == 4;
  a.sign = (op & 0xc) == 0;
  a.bits = 8 << (op & 3);
  a.rd = word & 31;
  return a;
}

/* The low bits of a number, with zeros above. */
static u64 low(u64 from, unsigned bits) { return bits == 64 ? from : from & ((1ul << bits) - 1); }

static void device_write(u64 offset, u64 data, unsigned bits) {
  if (offset == PUTCHAR) print_char(data);
  if (offset == VALUE) value = data | (value & ~low(~0ul, bits));
}

static u64 device_read(u64 offset) { return offset == VALUE ? value : 0; }

/* A store: the low bits of rd. */
static void store(struct vcpu *v, struct access a, u64 offset) { device_write(offset, low(v->regs[a.rd], a.bits), a.bits); }

/* A load: the low bits of what the device has, extended to 64 bits, to rd. r0 is always 0. */
static void load(struct vcpu *v, struct access a, u64 offset) {
  u64 data = low(device_read(offset), a.bits);
  if (a.sign && data >> (a.bits - 1)) data |= ~low(~0ul, a.bits);
  if (a.rd) v->regs[a.rd] = data;
}

/* Done: where does the guest go on? */
static void finish(struct vcpu *v) { v->pc += 4; }

void lab_main(void) {
  host_mode();
  load_guest(0);
  map_ram(0);
  start_vcpu(&vcpu, 0);
  print("h4: the guest says ");
  for (;;) {
    enter_guest(&vcpu);
    u64 cause = cause_of(&vcpu);
    if (cause == ECODE_HVC) {
      if ((vcpu.badi & 0x7fff) == 0) break;
      print("\nh4: a0 = ");
      print_hex(vcpu.regs[A0]);
      vcpu.pc += 4;
      continue;
    }
    struct access a = decode(vcpu.badi);
    if ((cause != ECODE_PIL && cause != ECODE_PIS) || !a.valid) {
      print("\nh4: no load or store: ");
      print_hex(vcpu.badi);
      break;
    }
    if (a.store) {
      store(&vcpu, a, vcpu.badv - DEVICE);
    } else {
      load(&vcpu, a, vcpu.badv - DEVICE);
    }
    finish(&vcpu);
  }
  print("\nh4: end\n");
  power_off();
}
