//! A caller of the border: a handle that frees itself, and its calls with slices.

use core::ffi::{c_char, CStr};
use core::mem::size_of;
use core::ptr::{from_ref, null, null_mut};

use parkflow_core::ed25519::public_key;
use parkflow_gate_c::*;

use crate::operator::{content, sealed, LANE_ID, LOT_ID, NOW_S, ROOT_SECRET};

pub fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap()
}

pub fn post() -> pf_post {
    pf_post {
        struct_size: size::<pf_post>(),
        root_key: public_key(&ROOT_SECRET),
        lot_id: LOT_ID,
        lane_id: LANE_ID,
    }
}

/// A handle that frees itself.
pub struct Handle(pub *mut pf_gate);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by `pf_gate_new`, freed here only.
        unsafe { pf_gate_free(self.0) };
    }
}

impl Handle {
    pub fn new() -> Self {
        Self::on(null(), null()).unwrap()
    }

    pub fn on(folder: *const c_char, stem: *const c_char) -> Result<Self, pf_status> {
        let mut gate = null_mut();
        // SAFETY: a post, no capacities, NULL or strings, room for a handle.
        let status = unsafe { pf_gate_new(from_ref(&post()), null(), folder, stem, &raw mut gate) };
        if status == PF_DONE {
            assert!(!gate.is_null());
            Ok(Self(gate))
        } else {
            assert!(gate.is_null());
            Err(status)
        }
    }

    pub fn with_bundle() -> Self {
        let gate = Self::new();
        assert_eq!(gate.take(&sealed(content(1)), None), (PF_DONE, 1));
        gate
    }

    pub fn take(&self, bundle: &[u8], filter: Option<&[u8]>) -> (pf_status, u64) {
        let mut version = 77;
        let (filter, filter_len) = filter.map_or((null(), 0), |filter| (filter.as_ptr(), filter.len()));
        // SAFETY: a live handle, two slices and room for a number.
        let status = unsafe {
            pf_gate_take_bundle(
                self.0,
                bundle.as_ptr(),
                bundle.len(),
                filter,
                filter_len,
                NOW_S,
                &raw mut version,
            )
        };
        (status, version)
    }

    pub fn decide(&self, text: &[u8], direction: i32, fee: i64) -> (pf_status, pf_decision) {
        let mut decision = unwritten();
        // SAFETY: a live handle, a slice and room for a decision.
        let status = unsafe {
            pf_gate_decide(
                self.0,
                text.as_ptr(),
                text.len(),
                direction,
                fee,
                NOW_S,
                &raw mut decision,
            )
        };
        (status, decision)
    }

    pub fn note(&self, text: &[u8], direction: i32) -> pf_status {
        // SAFETY: a live handle and a slice.
        unsafe { pf_gate_note_passage(self.0, text.as_ptr(), text.len(), direction, NOW_S) }
    }
}

/// Room for a decision, full of what would open a barrier.
pub fn unwritten() -> pf_decision {
    pf_decision {
        struct_size: size::<pf_decision>(),
        outcome: PF_ACCEPT,
        reason: 0xaa,
        certain: 0xaa,
        has_code: 0xaa,
        code_id: [0xaa; 16],
        subject: [0xaa; 16],
        kid: 0xaaaa_aaaa,
        issued_at_s: 0xaaaa_aaaa,
        ceiling: 0xaaaa,
        product: 0xaa,
        reserved: 0xaa,
    }
}

pub fn text(pointer: *const c_char) -> &'static str {
    // SAFETY: the library's own string, which ends with a zero and lives on.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap()
}
