//! The border itself: what wrong pointers, sizes, lengths and numbers are answered with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "../../parkflow-gate/tests/operator/mod.rs"]
mod operator;

mod caller;

use core::ffi::CStr;
use core::mem::{offset_of, size_of};
use core::ptr::{from_ref, null, null_mut};
use std::ffi::CString;

use caller::{post, size, text, unwritten, Handle};
use operator::{content, filter_over, sealed, Card, NOW_S};
use parkflow_core::bundle::{BundleRefusal, BUNDLE_BYTES_MAX, FILTER_BYTES_MAX};
use parkflow_gate::GateReason;
use parkflow_gate_c::*;

const CARD: [u8; 16] = [4; 16];

#[test]
fn structs_lie_as_the_header_says() {
    assert_eq!(
        (
            size_of::<pf_post>(),
            size_of::<pf_capacities>(),
            size_of::<pf_decision>()
        ),
        (56, 16, 52)
    );
    assert_eq!((offset_of!(pf_post, root_key), offset_of!(pf_post, lot_id)), (4, 40));
    let offsets = [
        offset_of!(pf_decision, outcome),
        offset_of!(pf_decision, code_id),
        offset_of!(pf_decision, subject),
        offset_of!(pf_decision, kid),
        offset_of!(pf_decision, ceiling),
        offset_of!(pf_decision, reserved),
    ];
    assert_eq!(offsets, [4, 8, 24, 40, 48, 51]);
    assert_eq!(pf_abi_version(), PF_ABI_VERSION);
}

#[test]
fn numbers_and_names_are_those_of_the_rust_library() {
    let refusals = [
        PF_BUNDLE_TOO_LONG,
        PF_BUNDLE_BAD_SIGNATURE,
        PF_BUNDLE_BAD_FORMAT,
        PF_BUNDLE_MALFORMED,
        PF_BUNDLE_BAD_KEY,
        PF_BUNDLE_NOT_NEWER,
        PF_BUNDLE_EXPIRED,
        PF_BUNDLE_UNKNOWN_LANE,
        PF_BUNDLE_FILTER_MISSING,
        PF_BUNDLE_BAD_FILTER,
        PF_BUNDLE_NOT_STORED,
    ];
    assert_eq!(BundleRefusal::ALL.map(|refusal| i32::from(refusal.number())), refusals);
    for refusal in BundleRefusal::ALL {
        assert_eq!(text(pf_bundle_refusal_name(refusal.number().into())), refusal.name());
    }
    for reason in GateReason::all() {
        assert_eq!(text(pf_reason_name(reason.number().into())), reason.name());
        assert_eq!(text(pf_reason_display(reason.number().into())), reason.display());
    }
    assert_eq!(text(pf_reason_name(PF_REASON_NO_DECISION.into())), "no_decision");
    assert_eq!(
        text(pf_reason_display(PF_REASON_NO_DECISION.into())),
        GateReason::NoBundle.display()
    );
    for unknown in [18, 31, 38, 254, 256, u32::MAX] {
        assert_eq!(
            (text(pf_reason_name(unknown)), text(pf_reason_display(unknown))),
            ("unknown", "unknown")
        );
    }
    for unknown in [i32::MIN, -1, PF_DONE, 12, PF_ERROR_NULL, i32::MAX] {
        assert_eq!(text(pf_bundle_refusal_name(unknown)), "unknown");
    }
}

/// The constants of the header, by the name that the Rust library gives to their numbers.
#[test]
fn every_reason_has_its_constant_in_the_header() {
    let header = include_str!("../include/parkflow_gate.h");
    for reason in GateReason::all() {
        let line = format!(
            "#define PF_REASON_{} {}\n",
            reason.name().to_uppercase(),
            reason.number()
        );
        assert!(header.contains(&line), "{line}");
    }
    for refusal in BundleRefusal::ALL {
        let line = format!(
            "#define PF_BUNDLE_{} {}\n",
            refusal.name().to_uppercase(),
            refusal.number()
        );
        assert!(header.contains(&line), "{line}");
    }
}

#[test]
fn null_is_answered_and_never_followed() {
    let gate = Handle::with_bundle();
    let mut decision = unwritten();
    let (mut number, mut byte, mut hash) = (0_u64, 0_u8, [0_u8; 32]);
    let bundle = sealed(content(2));
    let (bytes, length) = (bundle.as_ptr(), bundle.len());
    let mut handle = null_mut();
    // SAFETY: live handles and real memory, or NULL.
    let answers = unsafe {
        [
            pf_gate_new(null(), null(), null(), null(), &raw mut handle),
            pf_gate_new(from_ref(&post()), null(), null(), null(), null_mut()),
            pf_gate_new(from_ref(&post()), null(), c".".as_ptr(), null(), &raw mut handle),
            pf_gate_load(null_mut(), &raw mut byte),
            pf_gate_load(gate.0, null_mut()),
            pf_gate_take_bundle(null_mut(), bytes, length, null(), 0, NOW_S, &raw mut number),
            pf_gate_take_bundle(gate.0, null(), length, null(), 0, NOW_S, &raw mut number),
            pf_gate_take_bundle(gate.0, null(), 0, null(), 0, NOW_S, &raw mut number),
            pf_gate_take_bundle(gate.0, bytes, length, null(), 1, NOW_S, &raw mut number),
            pf_gate_take_bundle(gate.0, bytes, length, null(), 0, NOW_S, null_mut()),
            pf_gate_filter_of(null_mut(), bytes, length, hash.as_mut_ptr(), &raw mut byte),
            pf_gate_filter_of(gate.0, null(), length, hash.as_mut_ptr(), &raw mut byte),
            pf_gate_filter_of(gate.0, bytes, length, null_mut(), &raw mut byte),
            pf_gate_filter_of(gate.0, bytes, length, hash.as_mut_ptr(), null_mut()),
            pf_gate_confirm_bundle(null_mut(), NOW_S),
            pf_gate_bundle_version(null_mut(), &raw mut number),
            pf_gate_bundle_version(gate.0, null_mut()),
            pf_gate_bundle_expires_at_s(null_mut(), &raw mut number),
            pf_gate_bundle_expires_at_s(gate.0, null_mut()),
            pf_gate_decide(null_mut(), bytes, 1, PF_ENTRY, -1, NOW_S, &raw mut decision),
            pf_gate_decide(gate.0, bytes, 1, PF_ENTRY, -1, NOW_S, null_mut()),
            pf_gate_clear(null_mut(), bytes),
            pf_gate_clear(gate.0, null()),
            pf_gate_note_passage(null_mut(), bytes, 1, PF_ENTRY, NOW_S),
            pf_gate_note_passage(gate.0, null(), 1, PF_ENTRY, NOW_S),
        ]
    };
    assert_eq!(answers, [PF_ERROR_NULL; 25]);
    assert!(handle.is_null());
    assert_eq!((decision.outcome, decision.reason), (PF_REFUSE, PF_REASON_NO_DECISION));
    let mut decision = unwritten();
    // SAFETY: a live handle, NULL, room for a decision.
    let status = unsafe { pf_gate_decide(gate.0, null(), 0, PF_ENTRY, -1, NOW_S, &raw mut decision) };
    assert_eq!((status, decision.outcome), (PF_ERROR_NULL, PF_REFUSE));
    // SAFETY: NULL is allowed.
    unsafe { pf_gate_free(null_mut()) };
    // SAFETY: a live handle and room for a number.
    assert_eq!(unsafe { pf_gate_bundle_version(gate.0, &raw mut number) }, PF_DONE);
    assert_eq!(number, 1, "nothing of all that changed the gate");
}

#[test]
fn a_length_that_no_such_thing_has_is_refused_before_a_byte_is_read() {
    let gate = Handle::with_bundle();
    let one = [b'P'];
    let (mut version, mut has, mut hash) = (0_u64, 0_u8, [0_u8; 32]);
    for huge in [BUNDLE_BYTES_MAX + 1, usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX] {
        // SAFETY: one byte, of which nothing may be read as its length is no bundle's; a live handle, room to write.
        unsafe {
            let taken = pf_gate_take_bundle(gate.0, one.as_ptr(), huge, null(), 0, NOW_S, &raw mut version);
            assert_eq!(taken, PF_BUNDLE_TOO_LONG);
            let filter = pf_gate_filter_of(gate.0, one.as_ptr(), huge, hash.as_mut_ptr(), &raw mut has);
            assert_eq!(filter, PF_BUNDLE_TOO_LONG);
            let noted = pf_gate_note_passage(gate.0, one.as_ptr(), huge, PF_ENTRY, NOW_S);
            assert_eq!(noted, PF_ERROR_CODE);
            let mut decision = unwritten();
            let decided = pf_gate_decide(gate.0, one.as_ptr(), huge, PF_ENTRY, -1, NOW_S, &raw mut decision);
            assert_eq!(decided, PF_DONE);
            assert_eq!((decision.outcome, decision.reason), (PF_REFUSE, PF_REASON_TOO_LONG));
        }
    }
    let bundle = sealed(content(2));
    for huge in [FILTER_BYTES_MAX + 1, usize::MAX] {
        // SAFETY: a bundle, one byte that may not be read, a live handle, room for a number.
        let taken = unsafe {
            pf_gate_take_bundle(
                gate.0,
                bundle.as_ptr(),
                bundle.len(),
                one.as_ptr(),
                huge,
                NOW_S,
                &raw mut version,
            )
        };
        assert_eq!(taken, PF_BUNDLE_BAD_FILTER);
    }
}

#[test]
fn empty_and_short_things_are_refused_like_any_other() {
    let gate = Handle::with_bundle();
    assert_eq!(gate.take(&[], None), (PF_BUNDLE_MALFORMED, 0));
    assert_eq!(gate.take(&[0; 64], None), (PF_BUNDLE_BAD_SIGNATURE, 0));
    let filter = filter_over(4, 10);
    let mut named = content(2);
    named.filter = Some(filter.name());
    let named = sealed(named);
    assert_eq!(gate.take(&named, None), (PF_BUNDLE_FILTER_MISSING, 0));
    assert_eq!(gate.take(&named, Some(&[])), (PF_BUNDLE_BAD_FILTER, 0));
    assert_eq!(gate.take(&named, Some(filter.bytes())), (PF_DONE, 2));
    let (status, decision) = gate.decide(&[], PF_ENTRY, -1);
    assert_eq!(
        (status, decision.reason, decision.has_code),
        (PF_DONE, PF_REASON_BAD_PREFIX, 0)
    );
    assert_eq!(
        (decision.code_id, decision.subject, decision.kid),
        ([0; 16], [0; 16], 0)
    );
    assert_eq!(gate.note(&[], PF_ENTRY), PF_ERROR_CODE);
}

#[test]
fn a_struct_is_read_and_written_within_its_own_size() {
    let gate = Handle::with_bundle();
    let code = Card::new(CARD).text(NOW_S, 0);
    let decide = |out: *mut pf_decision| {
        // SAFETY: a live handle and a slice; `out` has the size that it says, or a size that is refused.
        unsafe { pf_gate_decide(gate.0, code.as_ptr(), code.len(), PF_ENTRY, -1, NOW_S, out) }
    };
    for wrong in [0, 4, size::<pf_decision>() - 1, 4_097, u32::MAX] {
        let mut decision = unwritten();
        decision.struct_size = wrong;
        let before = decision;
        assert_eq!(decide(&raw mut decision), PF_ERROR_STRUCT_SIZE, "{wrong}");
        assert_eq!(decision, before, "not written");
    }
    // A later version's struct, at an odd address, with more behind it.
    let mut room = [0xaa_u8; 1 + 60 + 3];
    room[1..5].copy_from_slice(&60_u32.to_ne_bytes());
    assert_eq!(
        decide(room[1..].as_mut_ptr().cast()),
        PF_DONE,
        "no earlier call used the code up"
    );
    assert_eq!(room[1..5], 60_u32.to_ne_bytes());
    assert_eq!(room[5], PF_ACCEPT);
    assert_eq!(room[53..61], [0; 8], "fields that this library does not know are zero");
    assert_eq!(room[61..], [0xaa; 3], "nothing is written behind");

    let mut handle = null_mut();
    for wrong in [0, size::<pf_post>() - 1, u32::MAX] {
        let mut bad_post = post();
        bad_post.struct_size = wrong;
        let capacities = pf_capacities {
            struct_size: wrong.min(size::<pf_capacities>() - 1),
            replays: 1,
            passages: 1,
            credentials: 1,
        };
        // SAFETY: structs whose size is refused, room for a handle.
        unsafe {
            let made = pf_gate_new(&raw const bad_post, null(), null(), null(), &raw mut handle);
            assert_eq!(made, PF_ERROR_STRUCT_SIZE);
            let made = pf_gate_new(
                from_ref(&post()),
                &raw const capacities,
                null(),
                null(),
                &raw mut handle,
            );
            assert_eq!(made, PF_ERROR_STRUCT_SIZE);
        }
    }
}

#[test]
fn capacities_are_those_that_are_given_and_none_is_too_small() {
    for entries in [0, 1, 5, u32::MAX] {
        let capacities = pf_capacities {
            struct_size: size::<pf_capacities>(),
            replays: entries,
            passages: entries,
            credentials: entries,
        };
        let mut handle = null_mut();
        // SAFETY: two structs and room for a handle.
        let made = unsafe {
            pf_gate_new(
                from_ref(&post()),
                &raw const capacities,
                null(),
                null(),
                &raw mut handle,
            )
        };
        assert_eq!(made, PF_DONE);
        let gate = Handle(handle);
        assert_eq!(gate.take(&sealed(content(1)), None), (PF_DONE, 1));
        let reason = |nonce| gate.decide(&Card::new(CARD).text(NOW_S, nonce), PF_ENTRY, -1).1.reason;
        assert_eq!((reason(0), reason(0)), (PF_REASON_ACCEPTED, PF_REASON_REPLAYED));
        // With room for one code, the one that becomes useless first is forgotten.
        assert_eq!(reason(1), PF_REASON_ACCEPTED);
        let remembered = [reason(0), reason(1)];
        assert_eq!(remembered.contains(&PF_REASON_ACCEPTED), entries < 2);
    }
}

#[test]
fn strings_are_short_utf8_and_the_stem_is_a_plain_name() {
    let folder = tempfile::tempdir().unwrap();
    let good = CString::new(folder.path().to_str().unwrap()).unwrap();
    let long = |length: usize| CString::new(vec![b'a'; length]).unwrap();
    let rows: [(&CStr, &CStr, pf_status); 9] = [
        (&good, c"gate", PF_DONE),
        (&good, &long(64), PF_DONE),
        (&good, &long(65), PF_ERROR_STRING),
        (&good, c"", PF_ERROR_STRING),
        (&good, c"../gate", PF_ERROR_STRING),
        (&good, c"\xff", PF_ERROR_STRING),
        (c"\xc0\x80", c"gate", PF_ERROR_STRING),
        (c"", c"gate", PF_ERROR_STRING),
        (&long(4_097), c"gate", PF_ERROR_STRING),
    ];
    for (folder, stem, status) in rows {
        let made = Handle::on(folder.as_ptr(), stem.as_ptr());
        assert_eq!(
            made.map_or_else(|status| status, |_| PF_DONE),
            status,
            "{folder:?} {stem:?}"
        );
    }
}

#[test]
fn a_key_that_is_none_makes_no_gate() {
    let mut bad = post();
    bad.root_key = [0; 32];
    let mut handle = null_mut();
    // SAFETY: a struct and room for a handle.
    let made = unsafe { pf_gate_new(&raw const bad, null(), null(), null(), &raw mut handle) };
    assert_eq!((made, handle), (PF_ERROR_ROOT_KEY, null_mut()));
}

#[test]
fn numbers_that_mean_nothing_are_refused_and_open_nothing() {
    let gate = Handle::with_bundle();
    let code = Card::new(CARD).with_ceiling(5).text(NOW_S, 0);
    let rows = [
        (0, -1, PF_ERROR_DIRECTION),
        (3, -1, PF_ERROR_DIRECTION),
        (-1, -1, PF_ERROR_DIRECTION),
        (PF_ENTRY, -2, PF_ERROR_FEE),
        (PF_ENTRY, i64::MIN, PF_ERROR_FEE),
        (PF_ENTRY, 1 << 32, PF_ERROR_FEE),
        (PF_ENTRY, i64::MAX, PF_ERROR_FEE),
    ];
    for (direction, fee, status) in rows {
        let (answer, decision) = gate.decide(&code, direction, fee);
        assert_eq!((answer, decision.outcome), (status, PF_REFUSE), "{direction} {fee}");
    }
    assert_eq!(gate.note(&code, 7), PF_ERROR_DIRECTION);
    assert_eq!(
        gate.decide(&code, PF_EXIT, (1 << 32) - 1).1.reason,
        PF_REASON_OVER_CEILING
    );
    assert_eq!(
        gate.decide(&code, PF_EXIT, 5).1.reason,
        PF_REASON_ACCEPTED,
        "it was not used up"
    );
}

#[test]
fn a_decision_says_what_the_code_says() {
    let gate = Handle::with_bundle();
    let card = Card::new(CARD).with_ceiling(500);
    let (status, decision) = gate.decide(&card.text(NOW_S, 9), PF_ENTRY, -1);
    let expected = pf_decision {
        struct_size: size::<pf_decision>(),
        outcome: PF_ACCEPT,
        reason: PF_REASON_ACCEPTED,
        certain: 1,
        has_code: 1,
        code_id: card.code(NOW_S, 9).code_id(),
        subject: CARD,
        kid: card.fields.kid,
        issued_at_s: u32::try_from(NOW_S).unwrap(),
        ceiling: 500,
        product: card.fields.product,
        reserved: 0,
    };
    assert_eq!((status, decision), (PF_DONE, expected));
}

#[test]
fn a_filter_is_found_by_its_hash_and_a_hit_can_be_cleared() {
    let gate = Handle::new();
    let filter = filter_over(4, 100);
    let mut named = content(1);
    named.filter = Some(filter.name());
    let filter_of = |bundle: &[u8]| {
        let (mut has, mut hash) = (9, [9; 32]);
        // SAFETY: a live handle, a slice, room for 32 bytes and for one.
        let status =
            unsafe { pf_gate_filter_of(gate.0, bundle.as_ptr(), bundle.len(), hash.as_mut_ptr(), &raw mut has) };
        (status, has, hash)
    };
    assert_eq!(filter_of(&sealed(named.clone())), (PF_DONE, 1, filter.name().sha256));
    assert_eq!(filter_of(&sealed(content(1))), (PF_DONE, 0, [0; 32]));
    assert_eq!(filter_of(&[0; 70]), (PF_BUNDLE_BAD_SIGNATURE, 0, [0; 32]));
    assert_eq!(gate.take(&sealed(named), Some(filter.bytes())), (PF_DONE, 1));
    let code = Card::new(CARD).text(NOW_S, 0);
    let (_, hit) = gate.decide(&code, PF_ENTRY, -1);
    assert_eq!((hit.outcome, hit.reason, hit.certain), (PF_REFUSE, PF_REASON_DENIED, 0));
    // SAFETY: a live handle and 16 bytes.
    assert_eq!(unsafe { pf_gate_clear(gate.0, hit.subject.as_ptr()) }, PF_DONE);
    assert_eq!(gate.decide(&code, PF_ENTRY, -1).1.outcome, PF_ACCEPT);
}

#[test]
fn a_noted_passage_is_remembered_and_a_restart_finds_the_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let path = CString::new(folder.path().to_str().unwrap()).unwrap();
    let load = |gate: &Handle| {
        let mut found = 9;
        // SAFETY: a live handle and room for a byte.
        let status = unsafe { pf_gate_load(gate.0, &raw mut found) };
        (status, found)
    };
    let gate = Handle::on(path.as_ptr(), c"gate".as_ptr()).unwrap();
    assert_eq!(load(&gate), (PF_DONE, 0));
    assert_eq!(gate.take(&sealed(content(3)), None), (PF_DONE, 3));
    drop(gate);
    let gate = Handle::on(path.as_ptr(), c"gate".as_ptr()).unwrap();
    assert_eq!(load(&gate), (PF_DONE, 1));
    let (mut version, mut expires_at_s) = (0, 0);
    // SAFETY: a live handle and room for a number each.
    unsafe {
        assert_eq!(pf_gate_bundle_version(gate.0, &raw mut version), PF_DONE);
        assert_eq!(pf_gate_bundle_expires_at_s(gate.0, &raw mut expires_at_s), PF_DONE);
        assert_eq!(pf_gate_confirm_bundle(gate.0, NOW_S), PF_DONE);
    }
    assert_eq!((version, expires_at_s), (3, content(3).expires_at_s));
    let code = Card::new(CARD).text(NOW_S, 0);
    assert_eq!(gate.note(&code, PF_EXIT), PF_DONE);
    assert_eq!(gate.decide(&code, PF_ENTRY, -1).1.reason, PF_REASON_REPLAYED);
    let stem = folder.path().join("gate.bundle");
    std::fs::write(&stem, b"rubbish").unwrap();
    let gate = Handle::on(path.as_ptr(), c"gate".as_ptr()).unwrap();
    assert_eq!(load(&gate), (PF_BUNDLE_MALFORMED, 0));
    std::fs::remove_file(&stem).unwrap();
    std::fs::create_dir(&stem).unwrap();
    let gate = Handle::on(path.as_ptr(), c"gate".as_ptr()).unwrap();
    assert_eq!(load(&gate), (PF_ERROR_DISK, 0));
}

/// Many threads on one handle: some calls find it busy, none opens twice, and nothing breaks.
#[test]
fn threads_on_one_handle_are_turned_away_or_served_one_by_one() {
    struct Shared(*mut pf_gate);
    // SAFETY: the handle is safe to be called from many threads, which is what this test is about.
    unsafe impl Sync for Shared {}
    let gate = Handle::with_bundle();
    let shared = Shared(gate.0);
    let code = Card::new(CARD).text(NOW_S, 0);
    let opened = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let shared = &shared;
                for _ in 0..50 {
                    let mut decision = unwritten();
                    // SAFETY: a live handle, a slice and room for a decision of this thread's own.
                    let status = unsafe {
                        pf_gate_decide(
                            shared.0,
                            code.as_ptr(),
                            code.len(),
                            PF_ENTRY,
                            -1,
                            NOW_S,
                            &raw mut decision,
                        )
                    };
                    assert!(status == PF_DONE || (status == PF_ERROR_BUSY && decision.outcome == PF_REFUSE));
                    if decision.outcome != PF_REFUSE {
                        opened.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(opened.into_inner(), 1);
}
