//! The only readers and writers of a caller's memory. Each checks what can be checked before it touches anything.

use core::ffi::c_char;
use core::mem::size_of;
use core::ptr;
use core::slice;
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::numbers::{pf_status, PF_DONE, PF_ERROR_NULL, PF_ERROR_PANICKED, PF_ERROR_STRING, PF_ERROR_STRUCT_SIZE};
use crate::structs::{pf_capacities, pf_decision, pf_post};

/// No struct ever grows beyond this; a larger size was never set.
const STRUCT_BYTES_MAX: usize = 4_096;

/// A struct of the border.
///
/// # Safety
/// It is `repr(C)`, its first field is `struct_size: u32`, and any bytes make a value of it.
pub(crate) unsafe trait BorderStruct: Copy {}

// SAFETY: integers and arrays of integers, the size first.
unsafe impl BorderStruct for pf_post {}
// SAFETY: integers, the size first.
unsafe impl BorderStruct for pf_capacities {}
// SAFETY: integers and arrays of integers, the size first.
unsafe impl BorderStruct for pf_decision {}

/// Runs a call's body. A panic ends here.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), pf_status>) -> pf_status {
    // What the body leaves half done is behind a lock that the panic poisons, so nobody sees it.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => PF_DONE,
        Ok(Err(status)) => status,
        Err(_) => PF_ERROR_PANICKED,
    }
}

pub(crate) fn not_null<T>(pointer: *const T) -> Result<(), pf_status> {
    if pointer.is_null() {
        Err(PF_ERROR_NULL)
    } else {
        Ok(())
    }
}

/// How many bytes the caller's struct has.
///
/// # Safety
/// If not NULL, four bytes can be read at `pointer`.
unsafe fn struct_bytes<T: BorderStruct>(pointer: *const T) -> Result<usize, pf_status> {
    not_null(pointer)?;
    // SAFETY: not NULL, and the caller vouches for four bytes; they need not be aligned.
    let claimed = unsafe { pointer.cast::<u32>().read_unaligned() };
    let bytes = usize::try_from(claimed).map_err(|_| PF_ERROR_STRUCT_SIZE)?;
    if (size_of::<T>()..=STRUCT_BYTES_MAX).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(PF_ERROR_STRUCT_SIZE)
    }
}

/// Copies a struct in. What a later version of it has behind is not read.
///
/// # Safety
/// If not NULL, as many bytes can be read at `pointer` as its first field says, and at least four.
pub(crate) unsafe fn read_struct<T: BorderStruct>(pointer: *const T) -> Result<T, pf_status> {
    // SAFETY: the caller's word is the one that is wanted there.
    unsafe { struct_bytes(pointer) }?;
    // SAFETY: not NULL, and there are at least as many bytes as `T` has; any bytes make a value of it.
    Ok(unsafe { pointer.read_unaligned() })
}

/// Whether a decision can be written to `out`.
///
/// # Safety
/// If not NULL, four bytes can be read at `out`.
pub(crate) unsafe fn check_decision(out: *const pf_decision) -> Result<(), pf_status> {
    // SAFETY: the caller's word is the one that is wanted there.
    unsafe { struct_bytes(out) }.map(drop)
}

/// Copies a decision out; what the caller's later version of it has behind becomes zero.
///
/// # Safety
/// If not NULL, as many bytes can be read and written at `out` as its first field says, and at least four.
pub(crate) unsafe fn write_decision(out: *mut pf_decision, decision: &pf_decision) -> Result<(), pf_status> {
    // SAFETY: the caller's word is the one that is wanted there.
    let bytes = unsafe { struct_bytes(out) }?;
    let decision = pf_decision {
        struct_size: u32::try_from(bytes).map_err(|_| PF_ERROR_STRUCT_SIZE)?,
        ..*decision
    };
    // SAFETY: not NULL, and the caller vouches for `bytes` bytes.
    unsafe { ptr::write_bytes(out.cast::<u8>(), 0, bytes) };
    // SAFETY: the same memory, of which `bytes` is at least the size of the struct.
    unsafe { out.write_unaligned(decision) };
    Ok(())
}

/// Copies a value out.
///
/// # Safety
/// If not NULL, a `T` can be written at `out`.
pub(crate) unsafe fn write<T: Copy>(out: *mut T, value: T) -> Result<(), pf_status> {
    not_null(out)?;
    // SAFETY: not NULL, and the caller vouches for the room; it need not be aligned.
    unsafe { out.write_unaligned(value) };
    Ok(())
}

/// The caller's bytes, if they are no more than `bytes_max`; else `too_long`, and nothing of them is touched.
///
/// # Safety
/// If not NULL, `length` bytes can be read at `pointer` and nobody writes to them during `'a`.
pub(crate) unsafe fn read_bytes<'a>(
    pointer: *const u8,
    length: usize,
    bytes_max: usize,
    too_long: pf_status,
) -> Result<&'a [u8], pf_status> {
    not_null(pointer)?;
    if length > bytes_max {
        return Err(too_long);
    }
    // SAFETY: not NULL, bytes need no alignment, the caller vouches for `length` of them, and `bytes_max` is a length
    // of this library, far below `isize::MAX`.
    Ok(unsafe { slice::from_raw_parts(pointer, length) })
}

/// Copies a string of at most `bytes_max` bytes before its final zero.
///
/// # Safety
/// If not NULL, bytes can be read at `pointer` up to and including the first zero.
pub(crate) unsafe fn read_string(pointer: *const c_char, bytes_max: usize) -> Result<String, pf_status> {
    not_null(pointer)?;
    let mut bytes = Vec::new();
    for place in 0..=bytes_max {
        // SAFETY: no zero came before `place`, so the byte there belongs to the string or ends it.
        let at = unsafe { pointer.cast::<u8>().add(place) };
        // SAFETY: as above.
        match unsafe { at.read() } {
            0 => return String::from_utf8(bytes).map_err(|_| PF_ERROR_STRING),
            byte => bytes.push(byte),
        }
    }
    Err(PF_ERROR_STRING)
}
