//! H1: detect LVZ, become a host, enter a guest, and answer its hypercalls.
#![no_std]
#![no_main]
use lab::*;

const LAST_CALL: u64 = 3;

/// Step 1, detect LVZ: its version, if there is one.
fn lvz_version() -> Option<u64> {
    let word = cpucfg(2);
    (word & CPUCFG2_LVZ != 0).then_some(word >> CPUCFG2_LVZ_VERSION & 7)
}

/// Step 2, host mode.
fn host_mode() {
    csr_write(GSTAT, 0);
    csr_xchg(GTLBC, GTLBC_USETGID, GTLBC_USETGID | 0xff << GTLBC_TGID_SHIFT);
    invtlb::<INVTLB_ALL_GUESTS>(0, 0);
}

/// Steps 3 and 4, a VM and its context.
fn start_vcpu(v: &mut Vcpu, vm: usize) {
    v.table = physical(&STAGE2[vm]);
    v.gid = vm as u64 + 1;
    v.pc = GUEST_START;
    gcsr_write(CRMD, CRMD_DA);
}

/// Step 5, the hypercall. Returns its code.
fn hypercall(v: &mut Vcpu) -> u64 {
    v.pc += 4;
    v.badi & 0x7fff
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
