//! What the labs in Rust have in common: CSRs, console, the memory of the VMs, vCPUs. The world switch and the first
//! instructions are assembly, the same as those of the labs in C.
#![no_std]
#![no_builtins]

mod console;
mod csr;
mod mem;
mod memory;
mod start;
mod vcpu;

pub use console::{Console, power_off, print_char};
pub use csr::*;
pub use memory::*;
pub use vcpu::*;
