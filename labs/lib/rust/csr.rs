//! CSRs, the bits of them that the labs use, and the instructions that software has for LVZ.
//! The manual, Vol. 1, chapter 7; LVZ: docs/lvz.md.
use core::arch::asm;

/// A CSR. Each is a type of its own, so that a number or a bit cannot be given in its place.
pub trait Csr: Copy {
    const NUMBER: u32;
}

/// A CSR that safe code of the host may write: it does not change what an address of the host means.
pub trait Writable: Csr {}

macro_rules! csrs {
    ($($name:ident = $number:literal)*) => {
        $(
            #[derive(Clone, Copy, Default)]
            pub struct $name;
            impl Csr for $name {
                const NUMBER: u32 = $number;
            }
        )*
    };
}

csrs! {
    CRMD = 0x0 PRMD = 0x1 EUEN = 0x2 MISC = 0x3 ECFG = 0x4 ESTAT = 0x5 ERA = 0x6 BADV = 0x7 BADI = 0x8 EENTRY = 0xc
    GTLBC = 0x15 ASID = 0x18 PGDL = 0x19 PGDH = 0x1a PWCL = 0x1c PWCH = 0x1d STLBPS = 0x1e CPUID = 0x20
    SAVE0 = 0x30 SAVE1 = 0x31 SAVE2 = 0x32 SAVE3 = 0x33 TCFG = 0x41 TVAL = 0x42 TICLR = 0x44
    GSTAT = 0x50 TLBRENTRY = 0x88 DMW0 = 0x180 DMW1 = 0x181 DMW2 = 0x182 DMW3 = 0x183
}

impl Writable for EUEN {}
impl Writable for ECFG {}
impl Writable for GTLBC {}
impl Writable for TCFG {}
impl Writable for TICLR {}
impl Writable for GSTAT {}

/// Word 2 of CPUCFG: is there LVZ, and where its version begins.
pub const CPUCFG2_LVZ: u64 = 1 << 10;
pub const CPUCFG2_LVZ_VERSION: u32 = 11;

pub const CRMD_DA: u64 = 1 << 3;
pub const EUEN_FPE: u64 = 1 << 0;
pub const EUEN_SXE: u64 = 1 << 1;
pub const GTLBC_USETGID: u64 = 1 << 12;
pub const GTLBC_TGID_SHIFT: u32 = 16;
pub const TCFG_EN: u64 = 1 << 0;
pub const TCFG_PERIODIC: u64 = 1 << 1;
/// The timer in ECFG and ESTAT.
pub const IS_TIMER: u64 = 1 << 11;

/// Ecodes: the causes of exits.
pub const ECODE_INT: u64 = 0x0;
pub const ECODE_PIL: u64 = 0x1;
pub const ECODE_PIS: u64 = 0x2;
pub const ECODE_PIF: u64 = 0x3;
pub const ECODE_GSPR: u64 = 0x16;
pub const ECODE_HVC: u64 = 0x17;

/// Operations of `invtlb`: all entries of guests; those of a GID and a guest-physical address.
pub const INVTLB_ALL_GUESTS: u32 = 0x12;
pub const INVTLB_GPA: u32 = 0x16;

/// Reads a CSR of the host.
pub fn csr_read<C: Csr>(_: C) -> u64 {
    let value;
    // SAFETY: reading a CSR changes nothing.
    unsafe { asm!("csrrd {}, {}", out(reg) value, const C::NUMBER, options(nomem, nostack)) };
    value
}

/// Writes a CSR of the host.
pub fn csr_write<C: Writable>(_: C, value: u64) {
    // SAFETY: the CSR is Writable.
    unsafe { asm!("csrwr {}, {}", inout(reg) value => _, const C::NUMBER, options(nostack)) };
}

/// Writes the bits of `mask` of a CSR of the host. Returns its old value.
pub fn csr_xchg<C: Writable>(_: C, value: u64, mask: u64) -> u64 {
    let old;
    // SAFETY: the CSR is Writable. The mask may not be in r1: that is another instruction.
    unsafe { asm!("csrxchg {}, $t0, {}", inout(reg) value => old, const C::NUMBER, in("$t0") mask, options(nostack)) };
    old
}

/// Reads a CSR of the guest's bank.
pub fn gcsr_read<C: Csr>(_: C) -> u64 {
    let value;
    // SAFETY: reading a CSR changes nothing.
    unsafe { asm!("gcsrrd {}, {}", out(reg) value, const C::NUMBER, options(nomem, nostack)) };
    value
}

/// Writes a CSR of the guest's bank.
pub fn gcsr_write<C: Csr>(_: C, value: u64) {
    // SAFETY: the guest's CSRs change nothing for the host.
    unsafe { asm!("gcsrwr {}, {}", inout(reg) value => _, const C::NUMBER, options(nostack)) };
}

/// Writes the bits of `mask` of a CSR of the guest's bank. Returns its old value.
pub fn gcsr_xchg<C: Csr>(_: C, value: u64, mask: u64) -> u64 {
    let old;
    // SAFETY: as gcsr_write; the mask as in csr_xchg.
    unsafe { asm!("gcsrxchg {}, $t0, {}", inout(reg) value => old, const C::NUMBER, in("$t0") mask, options(nostack)) };
    old
}

/// A CSR of the guest's bank as a value, for lists.
pub struct GuestCsr {
    pub read: fn() -> u64,
    pub write: fn(u64),
}

impl GuestCsr {
    /// The CSR of this name.
    pub const fn of<C: Csr + Default>(_: C) -> Self {
        Self {
            read: || gcsr_read(C::default()),
            write: |value| gcsr_write(C::default(), value),
        }
    }
}

/// An array of them, by their names.
#[macro_export]
macro_rules! guest_csrs {
    ($($name:ident),*) => { [$($crate::GuestCsr::of($crate::$name)),*] };
}

/// A word of CPUCFG.
pub fn cpucfg(word: u64) -> u64 {
    let value;
    // SAFETY: it only reads.
    unsafe { asm!("cpucfg {}, {}", out(reg) value, in(reg) word, options(pure, nomem, nostack)) };
    value
}

/// `invtlb OP, first, second`: removes entries of the TLB.
pub fn invtlb<const OP: u32>(first: u64, second: u64) {
    // SAFETY: an entry that is missing is filled again from its table.
    unsafe { asm!("invtlb {}, {}, {}", const OP, in(reg) first, in(reg) second, options(nostack)) };
}
