//! Names and texts for numbers, as strings that end with a zero and live as long as the process.

use core::ffi::{c_char, CStr};
use std::ffi::CString;
use std::panic::{catch_unwind, UnwindSafe};
use std::sync::OnceLock;

use parkflow_core::bundle::BundleRefusal;
use parkflow_gate::GateReason;

use crate::numbers::{PF_ABI_VERSION, PF_REASON_NO_DECISION};

const UNKNOWN: &CStr = c"unknown";

struct Texts {
    /// Number, name, and line for the display.
    reasons: Vec<(u8, CString, CString)>,
    refusals: Vec<(u8, CString)>,
}

/// The version of the library that is linked, to be compared with `PF_ABI_VERSION` of the header: the library's must
/// not be lower.
#[no_mangle]
pub extern "C" fn pf_abi_version() -> u32 {
    PF_ABI_VERSION
}

/// The stable name of a reason, such as `code_stale`; `unknown` for other numbers. Never NULL, never to be freed.
#[no_mangle]
pub extern "C" fn pf_reason_name(reason: u32) -> *const c_char {
    text_of(|texts| find_reason(texts, reason).map(|(_, name, _)| name.as_c_str()))
}

/// What the display says to the driver, in English; gate makers translate by number. `unknown` for other numbers.
/// Never NULL, never to be freed.
#[no_mangle]
pub extern "C" fn pf_reason_display(reason: u32) -> *const c_char {
    text_of(|texts| find_reason(texts, reason).map(|(_, _, display)| display.as_c_str()))
}

/// The stable name of a status from 1 to 99 (`PF_BUNDLE_...`), such as `filter_missing`; `unknown` for other numbers.
/// Never NULL, never to be freed.
#[no_mangle]
pub extern "C" fn pf_bundle_refusal_name(status: i32) -> *const c_char {
    text_of(|texts| {
        let mut refusals = texts.refusals.iter();
        let found = refusals.find(|(number, _)| i32::from(*number) == status);
        found.map(|(_, name)| name.as_c_str())
    })
}

fn text_of(find: impl FnOnce(&'static Texts) -> Option<&'static CStr> + UnwindSafe) -> *const c_char {
    let found = catch_unwind(|| find(texts()));
    found.ok().flatten().unwrap_or(UNKNOWN).as_ptr()
}

fn find_reason(texts: &Texts, number: u32) -> Option<&(u8, CString, CString)> {
    texts.reasons.iter().find(|(known, _, _)| u32::from(*known) == number)
}

/// Made at the first use: Rust's own texts do not end with a zero.
fn texts() -> &'static Texts {
    static TEXTS: OnceLock<Texts> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let reasons = GateReason::all().map(|reason| (reason.number(), reason.name(), reason.display()));
        // Nothing was decided: to the driver that is the same as a gate without a bundle.
        let own = (PF_REASON_NO_DECISION, "no_decision", GateReason::NoBundle.display());
        Texts {
            reasons: reasons
                .chain([own])
                .map(|(number, name, display)| (number, terminated(name), terminated(display)))
                .collect(),
            refusals: BundleRefusal::ALL
                .map(|refusal| (refusal.number(), terminated(refusal.name())))
                .to_vec(),
        }
    })
}

/// No text has a zero in it; if one had, it would be called unknown.
fn terminated(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| UNKNOWN.to_owned())
}
