/* H3: the guest's timer: its own, seen through GCSRs, and a tick of the host that is passed on. */
#include "lab.h"

#define TICK 20000 /* a multiple of 4: bits 1:0 of TCFG are flags */
#define TCFG_EN 1
#define TCFG_PERIODIC 2
#define A0 4

static struct vcpu vcpu;

/* The guest is idle until its own timer expires, and so is the CPU. The timer runs while the host runs. */
static void guest_is_idle(struct vcpu *v) {
  /* HOLE 1: wait until TI is pending in the guest's own ESTAT (gcsr_read, IS_TIMER). Then the idle is done: what about PC? */
  (void)v;
}

/* The host's own timer begins to tick: its interrupts exit. */
static void start_tick(void) {
  /* HOLE 2: let the timer through in the host's ECFG (IS_TIMER), and start it in TCFG: TICK, TCFG_PERIODIC, TCFG_EN. */
}

/* A tick of the host: it falls, and the guest gets one. */
static void tick(void) {
  /* HOLE 3: acknowledge the host's timer: 1 to TICLR. */
  /* HOLE 4: give the guest the interrupt: TI in the guest's own ESTAT, with gcsr_xchg. */
}

/* Says how many interrupts the guest has counted. */
static void report(const char *what) {
  print(what);
  print_number(vcpu.regs[A0]);
  print("\n");
}

void lab_main(void) {
  host_mode();
  load_guest(0);
  map_ram(0);
  start_vcpu(&vcpu, 0);
  for (;;) {
    enter_guest(&vcpu);
    u64 cause = cause_of(&vcpu), code = vcpu.badi & 0x7fff;
    if (cause == ECODE_GSPR) {
      print("h3: the guest is idle\n");
      guest_is_idle(&vcpu);
    } else if (cause == ECODE_INT) {
      print("h3: tick\n");
      tick();
    } else if (cause == ECODE_HVC && code == 1) {
      report("h3: interrupts by the guest's own timer: ");
      vcpu.pc += 4;
      start_tick();
    } else if (cause == ECODE_HVC) {
      report("h3: interrupts by the host's tick: ");
      break;
    } else {
      print("h3: exit, cause ");
      print_hex(cause);
      print("\n");
      break;
    }
  }
  print("h3: end\n");
  power_off();
}
