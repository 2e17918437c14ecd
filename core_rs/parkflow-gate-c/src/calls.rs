//! The calls on a gate, each as `parkflow_gate::Gate` has it.

use std::io;

use parkflow_core::bundle::{BundleRefusal, BUNDLE_BYTES_MAX, FILTER_BYTES_MAX};
use parkflow_core::code::{decode_code, TEXT_BYTES_MAX};
use parkflow_gate::{Direction, Visit};

use crate::border::{check_decision, guarded, read_bytes, write, write_decision};
use crate::handle::{pf_gate, with_gate};
use crate::numbers::{
    pf_status, PF_BUNDLE_BAD_FILTER, PF_BUNDLE_TOO_LONG, PF_DONE, PF_ENTRY, PF_ERROR_CODE, PF_ERROR_DIRECTION,
    PF_ERROR_DISK, PF_ERROR_FEE, PF_ERROR_NULL, PF_EXIT, PF_ID_BYTES, PF_SHA256_BYTES,
};
use crate::structs::pf_decision;

/// Stands in for every text that is too long, none of which is read.
static TOO_LONG: [u8; TEXT_BYTES_MAX + 1] = [0; TEXT_BYTES_MAX + 1];

/// Takes up the bundle that is on the disk, expired or not. Call it once, after `pf_gate_new`.
///
/// `found_out`: 1 if there was one, else 0.
///
/// Answers `PF_DONE`; `PF_ERROR_DISK` if the disk could not be read; or the `PF_BUNDLE_...` that is wrong with what is
/// on it. The gate then has no bundle, and needs one from the service before it opens.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_load(gate: *mut pf_gate, found_out: *mut u8) -> pf_status {
    let body = |gate: &mut parkflow_gate::Gate| {
        // SAFETY: the caller vouches for room for a byte.
        unsafe { write(found_out, 0) }?;
        let found = gate.load().map_err(|error| status_of_disk(&error))?;
        // SAFETY: as above.
        unsafe { write(found_out, u8::from(found)) }
    };
    // SAFETY: the caller vouches for its handle.
    unsafe { with_gate(gate, body) }
}

/// Uses a bundle from now on, if the root key signed it, its version is higher than the one in use and it has not
/// expired.
///
/// `bundle`: the bytes as the service sent them. `filter`: the bytes of the filter that it goes with; NULL and 0 if the
/// gate has it, or to learn by `PF_BUNDLE_FILTER_MISSING` that it does not. `now_s`: the gate's clock, unix seconds.
/// `version_out`: the bundle's version.
///
/// Both are synced to the disk before they are used. Whatever is refused changes nothing: the bundle in use stays.
///
/// Answers `PF_DONE`, any `PF_BUNDLE_...`, or an error.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_take_bundle(
    gate: *mut pf_gate,
    bundle: *const u8,
    bundle_len: usize,
    filter: *const u8,
    filter_len: usize,
    now_s: i64,
    version_out: *mut u64,
) -> pf_status {
    let body = |gate: &mut parkflow_gate::Gate| {
        // SAFETY: the caller vouches for room for a number.
        unsafe { write(version_out, 0) }?;
        // SAFETY: the caller vouches for its bytes.
        let bundle = unsafe { read_bytes(bundle, bundle_len, BUNDLE_BYTES_MAX, PF_BUNDLE_TOO_LONG) }?;
        let filter = if filter.is_null() && filter_len == 0 {
            None
        } else {
            // SAFETY: the caller vouches for its bytes.
            Some(unsafe { read_bytes(filter, filter_len, FILTER_BYTES_MAX, PF_BUNDLE_BAD_FILTER) }?)
        };
        let version = gate.take_bundle(bundle, filter, now_s).map_err(status_of)?;
        // SAFETY: as above.
        unsafe { write(version_out, version) }
    };
    // SAFETY: the caller vouches for its handle.
    unsafe { with_gate(gate, body) }
}

/// Which filter a bundle goes with, so that it can be fetched by its name.
///
/// `sha256_out`: 32 bytes of room for the SHA-256 of the filter's bytes, zeros if there is none. `has_out`: 1 if the
/// bundle goes with a filter, else 0.
///
/// Answers `PF_DONE`, or `PF_BUNDLE_...` if it is no bundle of this operator.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_filter_of(
    gate: *mut pf_gate,
    bundle: *const u8,
    bundle_len: usize,
    sha256_out: *mut u8,
    has_out: *mut u8,
) -> pf_status {
    let sha256_out = sha256_out.cast::<[u8; PF_SHA256_BYTES]>();
    let body = |gate: &mut parkflow_gate::Gate| {
        // SAFETY: the caller vouches for room for a byte.
        unsafe { write(has_out, 0) }?;
        // SAFETY: the caller vouches for room for 32 bytes.
        unsafe { write(sha256_out, [0; PF_SHA256_BYTES]) }?;
        // SAFETY: the caller vouches for its bytes.
        let bundle = unsafe { read_bytes(bundle, bundle_len, BUNDLE_BYTES_MAX, PF_BUNDLE_TOO_LONG) }?;
        let Some(sha256) = gate.filter_of(bundle).map_err(status_of)? else {
            return Ok(());
        };
        // SAFETY: as above.
        unsafe { write(sha256_out, sha256) }?;
        // SAFETY: as above.
        unsafe { write(has_out, 1) }
    };
    // SAFETY: the caller vouches for its handle.
    unsafe { with_gate(gate, body) }
}

/// Notes that the service just said that the bundle in use is its newest: the lot's risk rules go by that.
///
/// Answers `PF_DONE` or an error.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_confirm_bundle(gate: *mut pf_gate, now_s: i64) -> pf_status {
    let body = |gate: &mut parkflow_gate::Gate| {
        gate.confirm_bundle(now_s);
        Ok(())
    };
    // SAFETY: the caller vouches for its handle.
    unsafe { with_gate(gate, body) }
}

/// The version of the bundle in use; 0 before the first bundle.
///
/// Answers `PF_DONE` or an error.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_bundle_version(gate: *mut pf_gate, version_out: *mut u64) -> pf_status {
    // SAFETY: the caller vouches for room for a number.
    let body = |gate: &mut parkflow_gate::Gate| unsafe { write(version_out, gate.bundle_version()) };
    // SAFETY: the caller vouches for its handle.
    unsafe { with_gate(gate, body) }
}

/// First second at which the bundle in use lets nobody in any more, unix time; 0 before the first bundle.
///
/// Answers `PF_DONE` or an error.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_bundle_expires_at_s(gate: *mut pf_gate, expires_at_s_out: *mut u64) -> pf_status {
    // SAFETY: the caller vouches for room for a number.
    let body = |gate: &mut parkflow_gate::Gate| unsafe { write(expires_at_s_out, gate.bundle_expires_at_s()) };
    // SAFETY: the caller vouches for its handle.
    unsafe { with_gate(gate, body) }
}

/// Decides about one code. If the barrier opens, the code and the card's passage are remembered.
///
/// `text`: what the scanner read, any bytes of any length, not NULL. `direction`: `PF_ENTRY` or `PF_EXIT`.
/// `fee_due_units`: the fee to be let out unpaid, whole currency units rounded up; -1 where it is not known. `now_s`:
/// the gate's clock, unix seconds. `out`: the decision.
///
/// Open the barrier only if the answer is `PF_DONE` and `out->outcome` is `PF_ACCEPT` or `PF_ACCEPT_AND_FLAG`, and only
/// after the passage is in the gate's own journal on the disk. Whenever `out` can be written and the answer is not
/// `PF_DONE`, `out->outcome` is `PF_REFUSE`.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_decide(
    gate: *mut pf_gate,
    text: *const u8,
    text_len: usize,
    direction: i32,
    fee_due_units: i64,
    now_s: i64,
    out: *mut pf_decision,
) -> pf_status {
    // Before the gate is asked: a passage that is remembered must be one that the caller hears of.
    // SAFETY: the caller vouches for its struct.
    let room = guarded(|| unsafe { check_decision(out) });
    if room != PF_DONE {
        return room;
    }
    let mut decision = pf_decision::NONE;
    let body = |gate: &mut parkflow_gate::Gate| {
        let direction = direction_of(direction)?;
        let fee_due_units = match fee_due_units {
            -1 => None,
            fee => Some(u32::try_from(fee).map_err(|_| PF_ERROR_FEE)?),
        };
        // SAFETY: the caller vouches for its bytes.
        let text = match unsafe { read_bytes(text, text_len, TEXT_BYTES_MAX, PF_ERROR_CODE) } {
            Err(PF_ERROR_CODE) => &TOO_LONG,
            text => text?,
        };
        decision = gate
            .decide(&Visit {
                text,
                direction,
                fee_due_units,
                now_s,
            })
            .into();
        Ok(())
    };
    // SAFETY: the caller vouches for its handle.
    let status = unsafe { with_gate(gate, body) };
    // SAFETY: the caller vouches for its struct.
    let written = guarded(|| unsafe { write_decision(out, &decision) });
    if status == PF_DONE {
        written
    } else {
        status
    }
}

/// Notes that the service just said that this subject, which the filter hits, is not denied. Then decide again: the
/// code was not used up. It holds until the next filter.
///
/// `subject`: 16 bytes, as in the decision.
///
/// Answers `PF_DONE` or an error.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_clear(gate: *mut pf_gate, subject: *const u8) -> pf_status {
    let body = |gate: &mut parkflow_gate::Gate| {
        // SAFETY: the caller vouches for 16 bytes.
        let bytes = unsafe { read_bytes(subject, PF_ID_BYTES, PF_ID_BYTES, PF_ERROR_NULL) }?;
        gate.clear(bytes.try_into().map_err(|_| PF_ERROR_NULL)?);
        Ok(())
    };
    // SAFETY: the caller vouches for its handle.
    unsafe { with_gate(gate, body) }
}

/// Notes a passage that another gate of the lot let through, or this one before it was restarted: so that the code is
/// not taken again, and the card does not pass twice the same way. Call it for the passages of the last minutes in the
/// journal after `pf_gate_load`.
///
/// `text`: the code, as the scanner read it. `direction`: `PF_ENTRY` or `PF_EXIT`. `at_s`: when, unix seconds.
///
/// Answers `PF_DONE`, `PF_ERROR_CODE`, or another error.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_note_passage(
    gate: *mut pf_gate,
    text: *const u8,
    text_len: usize,
    direction: i32,
    at_s: i64,
) -> pf_status {
    let body = |gate: &mut parkflow_gate::Gate| {
        let direction = direction_of(direction)?;
        // SAFETY: the caller vouches for its bytes.
        let text = unsafe { read_bytes(text, text_len, TEXT_BYTES_MAX, PF_ERROR_CODE) }?;
        let code = decode_code(text).map_err(|_| PF_ERROR_CODE)?;
        gate.note_passage(&code, direction, at_s);
        Ok(())
    };
    // SAFETY: the caller vouches for its handle.
    unsafe { with_gate(gate, body) }
}

fn direction_of(number: i32) -> Result<Direction, pf_status> {
    match number {
        PF_ENTRY => Ok(Direction::Entry),
        PF_EXIT => Ok(Direction::Exit),
        _ => Err(PF_ERROR_DIRECTION),
    }
}

fn status_of(refusal: BundleRefusal) -> pf_status {
    refusal.number().into()
}

/// What is wrong with the bundle on the disk, if it could be read.
fn status_of_disk(error: &io::Error) -> pf_status {
    let refusal = error.get_ref().and_then(|inner| inner.downcast_ref::<BundleRefusal>());
    refusal.map_or(PF_ERROR_DISK, |refusal| status_of(*refusal))
}
