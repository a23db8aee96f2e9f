//! Between boot.S and the lab's `main`.
use crate::csr::{EUEN, EUEN_FPE, EUEN_SXE, csr_write};

// SAFETY: each lab has this one.
unsafe extern "C" {
    /// The lab's.
    safe fn main() -> !;
}

/// boot.S comes here. The compiler may use floating-point and vector registers, and Rust's core library does: they are turned on.
#[unsafe(no_mangle)]
extern "C" fn lab_main() -> ! {
    csr_write(EUEN, EUEN_FPE | EUEN_SXE);
    main()
}

/// The core library, which is built for programs that unwind, names it. Here a panic ends the program.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
