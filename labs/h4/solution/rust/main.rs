//! H4: a device of the hypervisor's own. The instruction that reached for it is decoded from BADI.
#![no_std]
#![no_main]
use lab::*;

const DEVICE: u64 = 0x3000_0000;
const PUTCHAR: u64 = 0;
const VALUE: u64 = 8;
const A0: usize = 4;

/// A load or store, as its instruction word says.
#[derive(Clone, Copy, Default)]
struct Access {
    /// Is it one at all?
    valid: bool,
    /// Or a load.
    store: bool,
    /// 8, 16, 32 or 64.
    bits: u32,
    /// Does a load extend the sign?
    sign: bool,
    /// The register that is loaded or stored.
    rd: usize,
}

/// ld.b … ld.d are 0xa0 … 0xa3 in bits 31:22, st.b … st.d 0xa4 … 0xa7, ld.bu … ld.wu 0xa8 … 0xaa; rd is in bits 4:0.
fn decode(word: u64) -> Access {
    let mut a = Access::default();
    let op = word >> 22 & 0x3ff;
    a.valid = (0xa0..=0xaa).contains(&op);
    a.store = op & 0xc == 4;
    a.bits = 8 << (op & 3);
    a.sign = op & 0xc == 0;
    a.rd = (word & 31) as usize;
    a
}

/// The low bits of a number, with zeros above.
fn low(from: u64, bits: u32) -> u64 {
    if bits == 64 { from } else { from & ((1 << bits) - 1) }
}

/// The device: one register, and a byte that it prints.
#[derive(Default)]
struct Device {
    value: u64,
}

impl Device {
    fn write(&mut self, offset: u64, data: u64, bits: u32) {
        match offset {
            PUTCHAR => print_char(data as u8),
            VALUE => self.value = data | (self.value & !low(!0, bits)),
            _ => {}
        }
    }

    fn read(&self, offset: u64) -> u64 {
        if offset == VALUE { self.value } else { 0 }
    }
}

/// A store: the low bits of rd.
fn store(v: &Vcpu, a: Access, device: &mut Device, offset: u64) {
    device.write(offset, low(v.regs[a.rd], a.bits), a.bits);
}

/// A load: the low bits of what the device has, extended to 64 bits, to rd. r0 is always 0.
fn load(v: &mut Vcpu, a: Access, device: &Device, offset: u64) {
    let mut data = low(device.read(offset), a.bits);
    if a.sign && data >> (a.bits - 1) != 0 {
        data |= !low(!0, a.bits);
    }
    if a.rd != 0 {
        v.regs[a.rd] = data;
    }
}

/// Done: where does the guest go on?
fn finish(v: &mut Vcpu) {
    v.pc += 4;
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut vcpu = Vcpu::default();
    let mut device = Device::default();
    host_mode();
    load_guest(0);
    map_ram(0);
    start_vcpu(&mut vcpu, 0);
    print!("h4: the guest says ");
    loop {
        enter_guest(&mut vcpu);
        let cause = vcpu.cause();
        if cause == ECODE_HVC {
            if vcpu.call() == 0 {
                break;
            }
            print!("\nh4: a0 = {:#x}", vcpu.regs[A0]);
            vcpu.pc += 4;
            continue;
        }
        let a = decode(vcpu.badi);
        if !matches!(cause, ECODE_PIL | ECODE_PIS) || !a.valid {
            print!("\nh4: no load or store: {:#x}", vcpu.badi);
            break;
        }
        let offset = vcpu.badv.wrapping_sub(DEVICE);
        if a.store {
            store(&vcpu, a, &mut device, offset);
        } else {
            load(&mut vcpu, a, &device, offset);
        }
        finish(&mut vcpu);
    }
    println!("\nh4: end");
    power_off();
}
