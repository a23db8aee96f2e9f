//! H2: stage-2 faults. RAM is mapped when the guest uses it first; a store to a device is emulated.
#![no_std]
#![no_main]
use lab::*;

const RAM_FIRST: u64 = 0x60_0000;
const RAM_END: u64 = 0xa0_0000;
const UART_GPA: u64 = 0x1fe0_01e0;
const A0: usize = 4;

/// Maps a block of guest-physical addresses to a block of RAM: both addresses are multiples of BLOCK.
fn map_block(gpa: u64, hpa: u64) {
    /* HOLE 1: the entry of the VM's table, STAGE2[0], for this address: set(index, the frame and the flags PTE_RAM). */
    let _ = (gpa, hpa);
}

/// Removes what the TLB has of a guest-physical address: a refill has put it there.
fn invalidate(gid: u64, gpa: u64) {
    /* HOLE 2: invtlb 0x16 (INVTLB_GPA) with the GID in bits 23:16 of the first operand and the address in the second. */
    let _ = (gid, gpa);
}

/// The guest has used RAM that is not mapped: what must be done so that the same instruction can run again?
fn fault_in_ram(v: &mut Vcpu, gpa: u64) {
    /* HOLE 3: map the block with this address to the same place in vm_ram(0), and make the TLB forget the old entry.
     * Then the guest must execute the same instruction again. */
    let _ = (v, gpa, invalidate);
    println!(": mapped");
}

/// The guest has stored the byte in a0 to the device: there is nothing to map.
fn store_to_uart(v: &mut Vcpu) {
    println!(": printed '{}'", v.regs[A0] as u8 as char);
    /* HOLE 4: the store is done. Where does the guest go on? */
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut vcpu = Vcpu::default();
    host_mode();
    load_guest(0);
    map_block(GUEST_START, vm_ram(0) + GUEST_START);
    start_vcpu(&mut vcpu, 0);
    loop {
        enter_guest(&mut vcpu);
        let gpa = vcpu.badv;
        let name = match vcpu.cause() {
            ECODE_HVC => break,
            ECODE_PIL => "PIL",
            ECODE_PIS => "PIS",
            ECODE_PIF => "PIF",
            _ => "exit",
        };
        print!("h2: {name} at {gpa:#x}");
        if !matches!(vcpu.cause(), ECODE_PIL | ECODE_PIS) {
            println!();
            break;
        }
        match gpa {
            RAM_FIRST..RAM_END => fault_in_ram(&mut vcpu, gpa),
            UART_GPA => store_to_uart(&mut vcpu),
            _ => {}
        }
    }
    println!("h2: end");
    power_off();
}
