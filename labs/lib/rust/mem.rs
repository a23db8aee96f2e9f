//! What the compiler calls to copy, fill and compare memory; on a system with a C library these are that one's.
//! With `no_builtins` (lib.rs) it does not make calls of their loops again.

/// # Safety
/// As in C: `to` and `from` have `size` bytes, and do not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    for n in 0..size {
        // SAFETY: both have `size` bytes.
        unsafe { *to.add(n) = *from.add(n) };
    }
    to
}

/// # Safety
/// As in C: `to` and `from` have `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    let upwards = to.cast_const() <= from;
    for n in 0..size {
        let at = if upwards { n } else { size - 1 - n };
        // SAFETY: both have `size` bytes, and no byte is read after it was written.
        unsafe { *to.add(at) = *from.add(at) };
    }
    to
}

/// # Safety
/// As in C: `to` has `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, size: usize) -> *mut u8 {
    for n in 0..size {
        // SAFETY: it has `size` bytes.
        unsafe { *to.add(n) = value as u8 };
    }
    to
}

/// # Safety
/// As in C: both have `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, size: usize) -> i32 {
    for n in 0..size {
        // SAFETY: both have `size` bytes.
        let (left, right) = unsafe { (*a.add(n), *b.add(n)) };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}

/// # Safety
/// As memcmp.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, size: usize) -> i32 {
    // SAFETY: as the caller says.
    unsafe { memcmp(a, b, size) }
}
