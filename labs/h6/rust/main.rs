//! H6: a guest with its own paging. The host only looks: at what the guest says, and at the memory behind its addresses.
#![no_std]
#![no_main]
use lab::*;

const DATA_GPA: u64 = 0x31_0008;
const A0: usize = 4;

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut vcpu = Vcpu::default();
    host_mode();
    load_guest(0);
    map_ram(0);
    start_vcpu(&mut vcpu, 0);
    loop {
        enter_guest(&mut vcpu);
        if vcpu.cause() != ECODE_HVC {
            println!("h6: exit, cause {:#x}", vcpu.cause());
            break;
        }
        let a0 = vcpu.regs[A0];
        match vcpu.call() {
            0 => break,
            1 => println!("h6: the guest reads {a0:#x}"),
            _ => {
                println!("h6: an exception in the guest, cause {a0:#x}");
                break;
            }
        }
        println!("h6: at its physical address is {:#x}", read_ram(0, DATA_GPA));
        vcpu.pc += 4;
    }
    println!("h6: end");
    power_off();
}
