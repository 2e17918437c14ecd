//! What a gate with a million denied subjects needs: memory to the byte, and time for the reader.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "../../parkflow-gate/tests/operator/mod.rs"]
mod operator;

use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::CString;
use std::time::{Duration, Instant};

use operator::{content, filter_over, sealed, spread, Card, LANE_ID, LOT_ID, NOW_S, ROOT_SECRET};
use parkflow_core::ed25519::public_key;
use parkflow_gate_c::*;

const DENIED: u64 = 1_000_000;
const MEGABYTE: usize = 1_000_000;
const BYTES_MAX: usize = 4 * MEGABYTE;

/// Counts what is held, and the most that ever was. This file has one test, so that nobody else allocates.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// What the steps took. Printed at the end only, for the harness keeps what is printed, in memory that is counted.
struct Figures {
    /// Held before the first step.
    before: usize,
    lines: Vec<(&'static str, usize, usize, Duration)>,
}

impl Figures {
    fn new() -> Self {
        let lines = Vec::with_capacity(16);
        Self { before: held(), lines }
    }

    /// Runs a step; answers the peak during it.
    fn measure(&mut self, what: &'static str, step: impl FnOnce()) -> usize {
        PEAK.store(held(), Ordering::Relaxed);
        let begin = Instant::now();
        step();
        let took = begin.elapsed();
        let peak = PEAK.load(Ordering::Relaxed) - self.before;
        self.lines.push((what, peak, held() - self.before, took));
        peak
    }

    fn print(&self) {
        for (what, peak, then, took) in &self.lines {
            println!("{what}: peak {peak} B, then {then} B, {} us", took.as_micros());
        }
    }
}

fn new_gate(folder: &CString) -> *mut pf_gate {
    let post = pf_post {
        struct_size: u32::try_from(size_of::<pf_post>()).unwrap(),
        root_key: public_key(&ROOT_SECRET),
        lot_id: LOT_ID,
        lane_id: LANE_ID,
    };
    let mut gate = null_mut();
    // SAFETY: a post, two strings, room for a handle.
    let made = unsafe {
        pf_gate_new(
            &raw const post,
            null(),
            folder.as_ptr(),
            c"gate".as_ptr(),
            &raw mut gate,
        )
    };
    assert_eq!(made, PF_DONE);
    gate
}

fn take(gate: *mut pf_gate, bundle: &[u8], filter: &[u8]) {
    let mut version = 0;
    // SAFETY: a live handle, two slices, room for a number.
    let status = unsafe {
        pf_gate_take_bundle(
            gate,
            bundle.as_ptr(),
            bundle.len(),
            filter.as_ptr(),
            filter.len(),
            NOW_S,
            &raw mut version,
        )
    };
    assert_eq!(status, PF_DONE);
}

fn opens(gate: *mut pf_gate, text: &[u8]) -> bool {
    let mut out = pf_decision {
        struct_size: u32::try_from(size_of::<pf_decision>()).unwrap(),
        outcome: PF_REFUSE,
        reason: 0,
        certain: 0,
        has_code: 0,
        code_id: [0; 16],
        subject: [0; 16],
        kid: 0,
        issued_at_s: 0,
        ceiling: 0,
        product: 0,
        reserved: 0,
    };
    // SAFETY: a live handle, a slice, room for a decision.
    let status = unsafe { pf_gate_decide(gate, text.as_ptr(), text.len(), PF_ENTRY, -1, NOW_S, &raw mut out) };
    assert_eq!(status, PF_DONE);
    out.outcome == PF_ACCEPT
}

#[test]
fn a_million_denied_subjects_take_at_most_four_megabytes() {
    let bundles = [(1, 4), (2, 6), (3, 4)].map(|(version, first)| {
        let filter = filter_over(first, DENIED);
        let mut named = content(version);
        named.filter = Some(filter.name());
        (sealed(named), filter.bytes().to_vec())
    });
    let filter_bytes = bundles[0].1.len();
    println!(
        "filter over {DENIED} subjects: {filter_bytes} B; bundle: {} B",
        bundles[0].0.len()
    );
    let card = |number: u64| Card::new(spread(number + (1 << 40)));
    let texts: Vec<Vec<u8>> = (0..9_000_u16)
        .map(|number| card(number.into()).text(NOW_S, number))
        .collect();
    let state = tempfile::tempdir().unwrap();
    let folder = CString::new(state.path().to_str().unwrap()).unwrap();

    let mut figures = Figures::new();
    let gate = new_gate(&folder);
    let peaks = [
        figures.measure("first bundle", || take(gate, &bundles[0].0, &bundles[0].1)),
        figures.measure("next bundle and filter", || {
            take(gate, &bundles[1].0, &bundles[1].1);
        }),
    ];
    let steady = held() - figures.before;
    // SAFETY: a live handle, freed once.
    unsafe { pf_gate_free(gate) };
    let gate = new_gate(&folder);
    let mut found = 0;
    let loaded = figures.measure("load after a restart", || {
        // SAFETY: a live handle and room for a byte.
        assert_eq!(unsafe { pf_gate_load(gate, &raw mut found) }, PF_DONE);
    });
    assert_eq!(found, 1);
    // The bytes that the caller fetched are memory of its process too; when loading there are none.
    for peak in peaks {
        assert!(
            peak + filter_bytes <= BYTES_MAX,
            "{peak} B and the caller's {filter_bytes} B"
        );
    }
    assert!(loaded <= BYTES_MAX, "{loaded} B");
    assert!(steady <= filter_bytes + MEGABYTE / 10, "{steady} B");

    let mut opened = 0;
    let full = figures.measure("9000 cards, every memory full", || {
        opened = texts.iter().filter(|text| opens(gate, text)).count();
    });
    // One in 256 is hit by the filter.
    assert!((8_900..9_000).contains(&opened), "{opened}");
    assert!(full <= BYTES_MAX, "{full} B");
    let last = figures.measure("next bundle and filter then", || {
        take(gate, &bundles[2].0, &bundles[2].1);
    });
    assert!(last <= BYTES_MAX, "{last} B");
    // SAFETY: a live handle, freed once.
    unsafe { pf_gate_free(gate) };
    assert_eq!(held(), figures.before, "everything was given back");
    figures.print();
}
