//! vCPUs, host mode and a new vCPU, as lab h1 makes them.
use crate::csr::*;
use crate::memory::{GUEST_START, STAGE2, physical};
use core::mem::offset_of;

/// A vCPU, as the world switch knows it.
#[repr(C)]
#[derive(Default)]
pub struct Vcpu {
    /// Of the guest, while it does not run.
    pub regs: [u64; 32],
    pub pc: u64,
    /// Of its last exit.
    pub estat: u64,
    pub badv: u64,
    pub badi: u64,
    /// Physical address of its VM's stage-2 table.
    pub table: u64,
    /// Of its VM.
    pub gid: u64,
    /// The hypervisor's stack, while the guest runs.
    pub host_sp: u64,
}

// The offsets that lab.h tells the world switch.
const _: () = {
    assert!(offset_of!(Vcpu, pc) == 0x100);
    assert!(offset_of!(Vcpu, estat) == 0x108);
    assert!(offset_of!(Vcpu, badv) == 0x110);
    assert!(offset_of!(Vcpu, badi) == 0x118);
    assert!(offset_of!(Vcpu, table) == 0x120);
    assert!(offset_of!(Vcpu, gid) == 0x128);
    assert!(offset_of!(Vcpu, host_sp) == 0x130);
};

impl Vcpu {
    /// Ecode of the last exit.
    pub fn cause(&self) -> u64 {
        self.estat >> 16 & 0x3f
    }

    /// The code of the last hypercall.
    pub fn call(&self) -> u64 {
        self.badi & 0x7fff
    }
}

// SAFETY: switch.S keeps what a function must preserve. A guest reaches memory by its VM's table alone.
unsafe extern "C" {
    /// The world switch: runs the guest until its next exit.
    pub safe fn enter_guest(vcpu: &mut Vcpu);
}

pub fn host_mode() {
    csr_write(GSTAT, 0);
    csr_xchg(GTLBC, GTLBC_USETGID, GTLBC_USETGID | 0xff << GTLBC_TGID_SHIFT);
    invtlb::<INVTLB_ALL_GUESTS>(0, 0);
}

/// A vCPU of a VM with the GID vm + 1, which begins at GUEST_START in direct address mode.
pub fn start_vcpu(vcpu: &mut Vcpu, vm: usize) {
    vcpu.pc = GUEST_START;
    vcpu.table = physical(&STAGE2[vm]);
    vcpu.gid = vm as u64 + 1;
    gcsr_write(CRMD, CRMD_DA);
}
