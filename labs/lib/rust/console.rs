//! The console of the host, its end, and what it says of a panic and of an exception of its own.
use crate::memory::WINDOW_UNCACHED;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

const UART: *mut u8 = (WINDOW_UNCACHED | 0x1fe0_01e0) as *mut u8;
const POWER: *mut u8 = (WINDOW_UNCACHED | 0x100e_001c) as *mut u8;
const POWER_OFF: u8 = 0x34;

/// The console, for `write!`.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(print_char);
        Ok(())
    }
}

/// Prints a text as `format!` makes it.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => {{
        use core::fmt::Write;
        // The console takes everything.
        let _ = write!($crate::Console, $($text)*);
    }};
}

/// Prints a text, and ends the line.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($text:tt)*) => { $crate::print!("{}\n", format_args!($($text)*)) };
}

pub fn print_char(c: u8) {
    // SAFETY: this is the register of the UART that sends a byte.
    unsafe { UART.write_volatile(c) };
}

pub fn power_off() -> ! {
    // SAFETY: this is the power control of the board.
    unsafe { POWER.write_volatile(POWER_OFF) };
    loop {}
}

/// boot.S comes here when the host has an exception of its own, which is a mistake.
#[unsafe(no_mangle)]
extern "C" fn host_exception(estat: u64, era: u64, badv: u64) -> ! {
    println!("host: exception {:#x} at {era:#x}, BADV {badv:#x}", estat >> 16 & 0x3f);
    power_off()
}

#[panic_handler]
fn panicked(info: &PanicInfo) -> ! {
    print!("host: panic");
    if let Some(at) = info.location() {
        print!(" at {}:{}", at.file(), at.line());
    }
    println!(": {}", info.message());
    power_off()
}
