//! H3: the guest's timer: its own, seen through GCSRs, and a tick of the host that is passed on.
#![no_std]
#![no_main]
use lab::*;

/// A multiple of 4: bits 1:0 of TCFG are flags.
const TICK: u64 = 20000;
const A0: usize = 4;

/// The guest is idle until its own timer expires, and so is the CPU. The timer runs while the host runs.
fn guest_is_idle(v: &mut Vcpu) {
    /* HOLE 1: wait until TI is pending in the guest's own ESTAT (gcsr_read, IS_TIMER). Then the idle is done: what about PC? */
    let _ = v;
}

/// The host's own timer begins to tick: its interrupts exit.
fn start_tick() {
    /* HOLE 2: let the timer through in the host's ECFG (IS_TIMER), and start it in TCFG: TICK, TCFG_PERIODIC, TCFG_EN. */
    let _ = TICK;
}

/// A tick of the host: it falls, and the guest gets one.
fn tick() {
    /* HOLE 3: acknowledge the host's timer: 1 to TICLR. */
    /* HOLE 4: give the guest the interrupt: TI in the guest's own ESTAT, with gcsr_xchg. */
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut vcpu = Vcpu::default();
    host_mode();
    load_guest(0);
    map_ram(0);
    start_vcpu(&mut vcpu, 0);
    loop {
        enter_guest(&mut vcpu);
        match (vcpu.cause(), vcpu.call()) {
            (ECODE_GSPR, _) => {
                println!("h3: the guest is idle");
                guest_is_idle(&mut vcpu);
            }
            (ECODE_INT, _) => {
                println!("h3: tick");
                tick();
            }
            (ECODE_HVC, 1) => {
                println!("h3: interrupts by the guest's own timer: {}", vcpu.regs[A0]);
                vcpu.pc += 4;
                start_tick();
            }
            (ECODE_HVC, _) => {
                println!("h3: interrupts by the host's tick: {}", vcpu.regs[A0]);
                break;
            }
            (cause, _) => {
                println!("h3: exit, cause {cause:#x}");
                break;
            }
        }
    }
    println!("h3: end");
    power_off();
}
