//! The RAM of the VMs: blocks of 2 MiB. The guest's code is in the block of GUEST_START; block 0 stays unmapped.
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Direct mapping windows: devices, and everything else.
pub const WINDOW_UNCACHED: u64 = 0x8000_0000_0000_0000;
pub const WINDOW_CACHED: u64 = 0x9000_0000_0000_0000;

/// The guest's first instruction, a guest-physical address.
pub const GUEST_START: u64 = 0x20_0000;
/// Stage 2 has one table of 512 blocks of 2 MiB, no directories.
pub const BLOCK_SHIFT: u32 = 21;
pub const BLOCK: u64 = 1 << BLOCK_SHIFT;
pub const BLOCKS: usize = 512;
pub const VMS: usize = 2;

/// An entry of a page table: valid, writable, cached.
pub const PTE_V: u64 = 0x1;
pub const PTE_D: u64 = 0x2;
pub const PTE_CACHED: u64 = 0x10;
pub const PTE_P: u64 = 0x80;
pub const PTE_W: u64 = 0x100;
pub const PTE_RAM: u64 = PTE_V | PTE_D | PTE_CACHED | PTE_P | PTE_W;

/// A stage-2 table. The refill handler reads it while the host holds it, so its entries are atomic.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; BLOCKS]);

impl Table {
    /// Writes the entry with this index.
    pub fn set(&self, index: u64, entry: u64) {
        self.0[index as usize].store(entry, Relaxed);
    }
}

/// The tables of the VMs, empty at first.
pub static STAGE2: [Table; VMS] = [const { Table([const { AtomicU64::new(0) }; BLOCKS]) }; VMS];

/// Where the RAM of a VM is, a physical address.
pub const fn vm_ram(vm: usize) -> u64 {
    0x400_0000 + vm as u64 * 0x100_0000
}

/// The physical address of something of the hypervisor's.
pub fn physical<T>(of: &T) -> u64 {
    &raw const *of as u64 & 0xffff_ffff_ffff
}

unsafe extern "C" {
    // link.ld: the guest's code behind the hypervisor, and its size, which is the address of the name.
    static guest_image: u8;
    static guest_size: u8;
}

/// Copies the guest's code into the RAM of a VM.
pub fn load_guest(vm: usize) {
    let to = (WINDOW_CACHED | (vm_ram(vm) + GUEST_START)) as *mut u8;
    // SAFETY: the RAM of a VM is nothing else's, and the image is that large.
    unsafe { to.copy_from_nonoverlapping(&raw const guest_image, &raw const guest_size as usize) };
}

/// What is in the RAM of a VM, at a guest-physical address.
pub fn read_ram(vm: usize, gpa: u64) -> u64 {
    let at = (WINDOW_CACHED | (vm_ram(vm) + gpa)) as *const u64;
    // SAFETY: the window has all RAM. The guest writes it, too, so it is read each time.
    unsafe { at.read_volatile() }
}

/// Maps the block with the guest's code.
pub fn map_ram(vm: usize) {
    STAGE2[vm].set(GUEST_START >> BLOCK_SHIFT, (vm_ram(vm) + GUEST_START) | PTE_RAM);
}
