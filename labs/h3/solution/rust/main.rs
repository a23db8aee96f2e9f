//! H3: the guest's timer: its own, seen through GCSRs, and a tick of the host that is passed on.
#![no_std]
#![no_main]
use lab::*;

/// A multiple of 4: bits 1:0 of TCFG are flags.
const TICK: u64 = 20000;
const A0: usize = 4;

/// The guest is idle until its own timer expires, and so is the CPU. The timer runs while the host runs.
fn guest_is_idle(v: &mut Vcpu) {
    while gcsr_read(ESTAT) & IS_TIMER == 0 {}
    v.pc += 4;
}

/// The host's own timer begins to tick: its interrupts exit.
fn start_tick() {
    csr_write(ECFG, IS_TIMER);
    csr_write(TCFG, TICK | TCFG_PERIODIC | TCFG_EN);
}

/// A tick of the host: it falls, and the guest gets one.
fn tick() {
    csr_write(TICLR, 1);
    gcsr_xchg(ESTAT, IS_TIMER, IS_TIMER);
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
