//! H1: detect LVZ, become a host, enter a guest, and answer its hypercalls.
#![no_std]
#![no_main]
use lab::*;

const LAST_CALL: u64 = 3;

/// Step 1, detect LVZ: its version, if there is one.
fn lvz_version() -> Option<u64> {
    /* HOLE 1: read CPUCFG word 2 with cpucfg(2). Return None when bit 10 is clear, otherwise bits 13:11. */
    None
}

/// Step 2, host mode.
fn host_mode() {
    /* HOLE 2: GSTAT = 0: no guest yet. GTLBC: USETGID = 1 and TGID = 0, with csr_xchg, so that a refill can fill entries of a guest.
     * Then `invtlb 0x12` (INVTLB_ALL_GUESTS): no entry of a guest is left from before. */
}

/// Steps 3 and 4, a VM and its context.
fn start_vcpu(v: &mut Vcpu, vm: usize) {
    /* HOLE 3: fill in v.table (physical address of STAGE2[vm]), v.gid (vm + 1: 0 is the host's) and v.pc (GUEST_START).
     * The guest begins in direct address mode: CRMD.DA of its bank, with gcsr_write. */
    let _ = (v, vm);
}

/// Step 5, the hypercall. Returns its code.
fn hypercall(v: &mut Vcpu) -> u64 {
    /* HOLE 6: the code of the hypercall is in bits 14:0 of v.badi. PC is still on the hvcl: what must come next? */
    let _ = v;
    0
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let Some(version) = lvz_version() else {
        println!("h1: this CPU has no LVZ");
        power_off();
    };
    println!("h1: LVZ version {version}");
    let mut vcpu = Vcpu::default();
    host_mode();
    load_guest(0);
    map_ram(0);
    start_vcpu(&mut vcpu, 0);
    loop {
        enter_guest(&mut vcpu);
        print!("h1: exit, cause {:#x}", vcpu.cause());
        if vcpu.cause() != ECODE_HVC {
            break;
        }
        let code = hypercall(&mut vcpu);
        println!(", hypercall {code}");
        if code >= LAST_CALL {
            break;
        }
    }
    println!("h1: end");
    power_off();
}
