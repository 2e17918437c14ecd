//! The handle: made, used by one thread at a time, given back.

use core::ffi::c_char;
use std::path::Path;
use std::sync::{Mutex, TryLockError};

use parkflow_gate::{BundleStore, Capacities, Gate};

use crate::border::{guarded, not_null, read_string, read_struct, write};
use crate::numbers::{
    pf_status, PF_ERROR_BUSY, PF_ERROR_NULL, PF_ERROR_PANICKED, PF_ERROR_ROOT_KEY, PF_ERROR_STRING,
    PF_FOLDER_BYTES_MAX, PF_STEM_BYTES_MAX,
};
use crate::structs::{pf_capacities, pf_post};

/// One gate: its bundle and what it remembers. Made by `pf_gate_new`, freed by `pf_gate_free`.
#[derive(Debug)]
pub struct pf_gate {
    /// Only ever tried: who finds it locked is told so. A panic poisons it, and with it the handle.
    gate: Mutex<Gate>,
}

/// Makes a gate without a bundle; call `pf_gate_load` next.
///
/// `post`: where the gate stands. `capacities`: NULL for the usual ones. `folder`: an existing folder on a disk that
/// keeps what it has synced; UTF-8, at most `PF_FOLDER_BYTES_MAX` bytes; NULL = no disk, so that a restart forgets the
/// bundle, which is for tests only. `stem`: what the gate's file names begin with, so that several gates may share a
/// folder; a plain file name of at most `PF_STEM_BYTES_MAX` bytes; not read if `folder` is NULL. `gate_out`: receives
/// the handle, or NULL if there is none.
///
/// Answers `PF_DONE`, `PF_ERROR_NULL`, `PF_ERROR_STRUCT_SIZE`, `PF_ERROR_STRING` or `PF_ERROR_ROOT_KEY`.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_new(
    post: *const pf_post,
    capacities: *const pf_capacities,
    folder: *const c_char,
    stem: *const c_char,
    gate_out: *mut *mut pf_gate,
) -> pf_status {
    guarded(|| {
        // SAFETY: the caller vouches for room for a pointer.
        unsafe { write(gate_out, core::ptr::null_mut()) }?;
        // SAFETY: the caller vouches for its struct.
        let post = unsafe { read_struct(post) }?;
        let capacities = if capacities.is_null() {
            Capacities::default()
        } else {
            // SAFETY: the caller vouches for its struct.
            unsafe { read_struct(capacities) }?.into()
        };
        // SAFETY: the caller vouches for its strings.
        let store = unsafe { read_store(folder, stem) }?;
        let gate = Gate::new(post.into(), capacities, store).map_err(|_| PF_ERROR_ROOT_KEY)?;
        let handle = Box::new(pf_gate { gate: Mutex::new(gate) });
        // SAFETY: as at the first write.
        unsafe { write(gate_out, Box::into_raw(handle)) }
    })
}

/// Frees a gate; NULL is allowed. Its bundle stays on the disk. No other call may use the handle at the time or later.
#[no_mangle]
pub unsafe extern "C" fn pf_gate_free(gate: *mut pf_gate) {
    guarded(|| {
        not_null(gate)?;
        // SAFETY: not NULL, so it came out of `Box::into_raw` in `pf_gate_new`; the caller gives it back once.
        drop(unsafe { Box::from_raw(gate) });
        Ok(())
    });
}

/// Runs a call's body on the gate, unless the handle is NULL, in use, or has seen a panic.
///
/// # Safety
/// If not NULL, `gate` came from `pf_gate_new` and was not freed.
pub(crate) unsafe fn with_gate(
    gate: *const pf_gate,
    body: impl FnOnce(&mut Gate) -> Result<(), pf_status>,
) -> pf_status {
    guarded(|| {
        // SAFETY: NULL, or a live handle, as the caller vouches; it is shared only, the lock gives the gate to one.
        let handle = unsafe { gate.as_ref() }.ok_or(PF_ERROR_NULL)?;
        let mut gate = handle.gate.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => PF_ERROR_BUSY,
            TryLockError::Poisoned(_) => PF_ERROR_PANICKED,
        })?;
        body(&mut gate)
    })
}

/// The disk that `folder` and `stem` name; none if `folder` is NULL.
///
/// # Safety
/// If not NULL, the two are strings that end with a zero.
unsafe fn read_store(folder: *const c_char, stem: *const c_char) -> Result<Option<BundleStore>, pf_status> {
    if folder.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller vouches for its string.
    let folder = unsafe { read_string(folder, PF_FOLDER_BYTES_MAX) }?;
    // SAFETY: the caller vouches for its string.
    let stem = unsafe { read_string(stem, PF_STEM_BYTES_MAX) }?;
    // With a separator in it, the stem would lead into another folder than the one that is synced.
    if folder.is_empty() || stem.is_empty() || stem.contains(['/', '\\', ':']) {
        return Err(PF_ERROR_STRING);
    }
    Ok(Some(BundleStore::new(Path::new(&folder), &stem)))
}

#[cfg(test)]
#[expect(clippy::panic, reason = "panics are what is tested")]
mod tests {
    use std::sync::Mutex;

    use parkflow_core::ed25519::public_key;
    use parkflow_gate::{Capacities, Gate, Post};

    use super::{pf_gate, with_gate};
    use crate::{
        pf_decision, pf_gate_decide, PF_DONE, PF_ENTRY, PF_ERROR_BUSY, PF_ERROR_PANICKED, PF_REASON_NO_DECISION,
        PF_REFUSE,
    };

    fn handle() -> pf_gate {
        let post = Post {
            root_key: public_key(&[11; 32]),
            lot_id: 1,
            lane_id: 1,
        };
        let gate = Gate::new(post, Capacities::default(), None);
        pf_gate {
            gate: Mutex::new(gate.unwrap_or_else(|refusal| panic!("{refusal}"))),
        }
    }

    fn decide(handle: &pf_gate) -> (i32, pf_decision) {
        let mut decision = pf_decision {
            struct_size: u32::try_from(size_of::<pf_decision>()).unwrap_or(0),
            outcome: 77,
            ..pf_decision::NONE
        };
        let now_s = 1_792_497_600;
        let gate = core::ptr::from_ref(handle).cast_mut();
        // SAFETY: a live handle, four bytes of text and room for a decision.
        let status = unsafe { pf_gate_decide(gate, b"PF1:".as_ptr(), 4, PF_ENTRY, -1, now_s, &raw mut decision) };
        (status, decision)
    }

    #[test]
    fn after_a_panic_a_handle_answers_nothing_but_that_and_opens_nothing() {
        let handle = handle();
        assert_eq!(decide(&handle).0, PF_DONE);
        // SAFETY: a live handle.
        let status = unsafe { with_gate(&raw const handle, |_| panic!("wanted by the test")) };
        assert_eq!(status, PF_ERROR_PANICKED);
        for _ in 0..2 {
            let (status, decision) = decide(&handle);
            assert_eq!(status, PF_ERROR_PANICKED);
            assert_eq!((decision.outcome, decision.reason), (PF_REFUSE, PF_REASON_NO_DECISION));
        }
    }

    #[test]
    fn a_handle_in_use_says_so_and_opens_nothing() {
        let handle = handle();
        // SAFETY: a live handle.
        let status = unsafe {
            with_gate(&raw const handle, |_| {
                let (status, decision) = decide(&handle);
                assert_eq!((status, decision.outcome), (PF_ERROR_BUSY, PF_REFUSE));
                Ok(())
            })
        };
        assert_eq!(status, PF_DONE);
        assert_eq!(decide(&handle).0, PF_DONE);
    }
}
