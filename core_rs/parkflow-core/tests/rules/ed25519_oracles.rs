//! PF-1 beside dalek's strict verification: they differ exactly where the documented causes say so.
//!
//! Strict verification has no cofactor and looks at a key no further than for small order. Hence it takes keys of mixed
//! order, whose holder can make signatures on which verifiers differ, and PF-1 does not enrol them; and it refuses an R
//! with a part of small order, which PF-1 takes, since a batch cannot tell it, and only the key's holder can make it.
//! It also decodes keys with y ≥ p; those are of small order, or nobody can sign for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::golden::signatures::{crafted, published, speccheck, Crafted, Triple};
use ed25519_dalek::{Signature, VerifyingKey as DalekKey};
use parkflow_core::ed25519::{verify, VerifyingKey};

fn pf1(triple: &Triple) -> bool {
    VerifyingKey::enrol(&triple.key).is_ok_and(|key| verify(&key, &[&triple.message], &triple.signature))
}

fn strict(triple: &Triple) -> bool {
    let Ok(signature) = Signature::from_slice(&triple.signature) else {
        return false;
    };
    let key = triple.key.as_slice().try_into().expect("32 bytes");
    DalekKey::from_bytes(key).is_ok_and(|key| key.verify_strict(&triple.message, &signature).is_ok())
}

/// The documented disagreements: strict takes, PF-1 refuses.
fn strict_alone_takes(case: &Crafted) -> bool {
    case.cause == "mixed_order_key" && case.cofactorless
}

/// The documented disagreements: PF-1 takes, strict refuses.
fn pf1_alone_takes(case: &Crafted) -> bool {
    case.cause == "torsion_r" && !case.cofactorless
}

fn names(cases: &[Crafted], chosen: impl Fn(&Crafted) -> bool) -> BTreeSet<&str> {
    cases
        .iter()
        .filter(|case| chosen(case))
        .map(|case| &*case.triple.name)
        .collect()
}

#[test]
fn pf1_answers_each_crafted_case_as_integer_arithmetic_does() {
    for case in crafted() {
        assert_eq!(pf1(&case.triple), case.triple.valid, "{}", case.triple.name);
    }
}

#[test]
fn crafted_cases_are_of_every_cause() {
    let mut counts = BTreeMap::new();
    let cases = crafted();
    for case in &cases {
        *counts.entry(&*case.cause).or_insert(0) += 1;
    }
    let expected = [
        ("false_equation", 9),
        ("honest", 2),
        ("mixed_order_key", 105),
        ("non_canonical_key", 119),
        ("non_canonical_r", 80),
        ("s_not_below_order", 15),
        ("small_order_key", 79),
        ("small_order_r", 8),
        ("torsion_r", 7),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
}

#[test]
fn strict_and_pf1_differ_on_crafted_cases_exactly_by_the_documented_causes() {
    let cases = crafted();
    let strict_alone = names(&cases, |case| strict(&case.triple) && !pf1(&case.triple));
    let pf1_alone = names(&cases, |case| pf1(&case.triple) && !strict(&case.triple));
    assert_eq!(strict_alone, names(&cases, strict_alone_takes));
    assert_eq!(pf1_alone, names(&cases, pf1_alone_takes));
    assert_eq!((strict_alone.len(), pf1_alone.len()), (42, 7));
}

#[test]
fn strict_and_pf1_differ_on_published_cases_by_one_key_of_mixed_order() {
    let triples = published();
    assert_eq!(triples.len(), 297);
    let differing: Vec<&str> = triples
        .iter()
        .filter(|triple| strict(triple) != pf1(triple))
        .map(|triple| &*triple.name)
        .collect();
    assert_eq!(differing, ["speccheck 3"]);
    for triple in speccheck("dalek_strict") {
        assert_eq!(strict(&triple), triple.valid, "{}", triple.name);
    }
}
