//! The engine against the tick meter on random tariffs and stays over the whole language.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::thread;

use crate::random_tariff::compare::difference;
use crate::random_tariff::coverage::Coverage;
use crate::random_tariff::{cases, columns, shrink, Case, Dice};
use crate::tick_meter::misreading::Misreading;
use crate::tick_meter::Oracle;
use parkflow_core::tariff::Tariff;

/// How many (tariff, stay) pairs are compared; `bench/area_tariffs_oracle.py` asks for many more.
const PAIRS: &str = "PARKFLOW_TARIFF_PAIRS";
const PAIRS_USUAL: u64 = 24_000;
/// Where the dice start: another seed makes other cases.
const SEED: &str = "PARKFLOW_TARIFF_SEED";
const SEED_USUAL: u64 = 20_260_601;
/// A chunk has dice of its own, so that the cases do not depend on how many threads there are.
const CHUNK_PAIRS: u64 = 500;
const THREADS: usize = 2;
const SHOWN_MAX: usize = 3;
/// Each feature decides something in at least one of so many pairs.
const PAIRS_PER_FEATURE: u64 = 2_000;
/// Each misreading is noticed in the first so many pairs.
const MISREADING_PAIRS: u64 = 24_000;

fn number_from(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// Compares a chunk of pairs; adds to the coverage and tells the cases that failed.
fn compare_chunk(seed: u64, misreading: Option<Misreading>, coverage: &mut Coverage) -> Vec<Case> {
    let mut dice = Dice::new(seed);
    let mut failed = Vec::new();
    let until = coverage.pairs + CHUNK_PAIRS;
    while coverage.pairs < until {
        let Some((parsed, cases)) = cases(&mut dice) else {
            continue;
        };
        coverage.tariffs += 1;
        let before = failed.len();
        for case in &cases {
            let oracle = Oracle::new(&case.tariff, misreading);
            if difference(case, &parsed, &oracle).is_some() {
                failed.push(case.clone());
            }
            coverage.add(case, &oracle.seen);
        }
        let oracle = Oracle::new(&cases[0].tariff, misreading);
        let per_second = dice.one_of(&[1, 1_000, 1_000_000, 1_000_000_000]);
        if failed.len() == before && columns::difference(&parsed, &cases, &oracle, per_second).is_some() {
            failed.push(together(&parsed, cases, &oracle, per_second));
        }
    }
    failed
}

/// Cases that differ in columns, as one: the account that differs, or all stays where there are no accounts.
fn together(parsed: &Tariff, cases: Vec<Case>, oracle: &Oracle, per_second: i64) -> Case {
    let differs = |case: &&Case| columns::difference(parsed, std::slice::from_ref(case), oracle, per_second).is_some();
    if let Some(case) = cases.iter().find(differs) {
        return case.clone();
    }
    Case {
        tariff: cases[0].tariff.clone(),
        stays: cases.into_iter().flat_map(|case| case.stays).collect(),
    }
}

fn seed_of(chunk: u64) -> u64 {
    number_from(SEED, SEED_USUAL).wrapping_add(chunk.wrapping_mul(0x2545_f491_4f6c_dd1d))
}

#[test]
fn the_engine_agrees_with_the_tick_meter_on_random_tariffs() {
    let pairs = number_from(PAIRS, PAIRS_USUAL);
    let chunks = pairs.div_ceil(CHUNK_PAIRS);
    let next = AtomicU64::new(0);
    let found = Mutex::new((Coverage::default(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| loop {
                let chunk = next.fetch_add(1, Ordering::Relaxed);
                if chunk >= chunks {
                    return;
                }
                let mut coverage = Coverage::default();
                let failed = compare_chunk(seed_of(chunk), None, &mut coverage);
                let mut found = found.lock().unwrap();
                found.0.merge(&coverage);
                found.1.extend(failed);
            });
        }
    });
    let (coverage, failed) = found.into_inner().unwrap();
    println!("{}", coverage.table());
    println!(
        "tariffs {} pairs {} disagreements {}",
        coverage.tariffs,
        coverage.pairs,
        failed.len()
    );
    let reports: Vec<String> = failed.iter().take(SHOWN_MAX).map(shrink::report).collect();
    assert!(
        failed.is_empty(),
        "{} cases, made small:\n{}",
        failed.len(),
        reports.join("\n")
    );
    assert_eq!(
        coverage.rare(pairs / PAIRS_PER_FEATURE),
        [],
        "parts of the language that the dice hardly reach"
    );
}

#[test]
fn every_misreading_of_the_language_is_noticed() {
    for misreading in Misreading::ALL {
        let mut coverage = Coverage::default();
        let mut chunk = 0;
        let noticed = loop {
            if !compare_chunk(seed_of(chunk), Some(*misreading), &mut coverage).is_empty() {
                break true;
            }
            if coverage.pairs > MISREADING_PAIRS {
                break false;
            }
            chunk += 1;
        };
        println!("{misreading:?}: noticed within {} pairs", coverage.pairs);
        assert!(
            noticed,
            "{misreading:?} prices {} pairs as the engine does",
            coverage.pairs
        );
    }
}
