//! H5: two VMs. The first has two vCPUs, the second has one; they take turns on one CPU.
#![no_std]
#![no_main]
use lab::*;

const VCPUS: usize = 3;
const ROUNDS: usize = 3;
const A0: usize = 4;
const A1: usize = 5;
/// The VM of each vCPU, and its number in there.
const VM_OF: [usize; VCPUS] = [0, 0, 1];
const ID_OF: [u64; VCPUS] = [0, 1, 0];

/// The CSRs of a guest: there is one bank for all. ESTAT comes before the timer's, TCFG before TVAL.
static LIST: [GuestCsr; 27] = guest_csrs![
    CRMD, CPUID, PRMD, EUEN, MISC, ECFG, ESTAT, ERA, BADV, EENTRY, ASID, PGDL, PGDH, PWCL, PWCH, STLBPS, SAVE0, SAVE1, SAVE2, SAVE3, TCFG,
    TVAL, TLBRENTRY, DMW0, DMW1, DMW2, DMW3
];

/// The values of the list, of a vCPU while another one has the bank.
type Bank = [u64; LIST.len()];

/// The vCPUs, and the one whose CSRs are in the bank.
#[derive(Default)]
struct Machine {
    vcpus: [Vcpu; VCPUS],
    banks: [Bank; VCPUS],
    owner: Option<usize>,
}

/// A vCPU of a VM: each VM has a table and a GID of its own, and GID 0 is the host's.
fn new_vcpu(machine: &mut Machine, n: usize) {
    let v = &mut machine.vcpus[n];
    let vm = VM_OF[n];
    v.table = physical(&STAGE2[vm]);
    v.gid = vm as u64 + 1;
    v.pc = GUEST_START;
    v.regs[A0] = u64::from(b'A') + n as u64;
    machine.banks[n][0] = CRMD_DA;
    machine.banks[n][1] = ID_OF[n];
}

/// The bank goes to memory.
fn save_bank(to: &mut Bank) {
    for (csr, value) in LIST.iter().zip(to) {
        *value = (csr.read)();
    }
}

/// And comes from there.
fn load_bank(from: &Bank) {
    for (csr, value) in LIST.iter().zip(from) {
        (csr.write)(*value);
    }
}

/// Gives the bank to a vCPU, if another one has it.
fn give_bank(machine: &mut Machine, n: usize) {
    if machine.owner == Some(n) {
        return;
    }
    if let Some(owner) = machine.owner {
        save_bank(&mut machine.banks[owner]);
    }
    load_bank(&machine.banks[n]);
    machine.owner = Some(n);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut machine = Machine::default();
    host_mode();
    for vm in 0..VMS {
        load_guest(vm);
        map_ram(vm);
    }
    for n in 0..VCPUS {
        new_vcpu(&mut machine, n);
    }
    for turn in 0..ROUNDS * VCPUS {
        let n = turn % VCPUS;
        give_bank(&mut machine, n);
        let v = &mut machine.vcpus[n];
        enter_guest(v);
        print!("h5: VM {}", VM_OF[n] + 1);
        if v.cause() != ECODE_HVC {
            println!(", exit, cause {:#x}", v.cause());
            break;
        }
        println!(", vCPU {}, count {}", v.regs[A0] as u8 as char, v.regs[A1]);
        v.pc += 4;
    }
    println!("h5: end");
    power_off();
}
