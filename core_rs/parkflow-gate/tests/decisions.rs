//! What a gate decides: every reason, the order of refusal, and what it remembers of earlier codes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod operator;
mod scene;

use operator::{at, content, filter_over, key, lot, rule, sealed, Card, EXIT_LANE_ID, KID, LANE_ID, NOW_S};
use parkflow_core::bundle::{ExitDenied, RiskOutcome};
use parkflow_core::code::{encode_base45, Reason, PREFIX};
use parkflow_gate::{Decision, Direction, Gate, GateReason, Outcome};
use scene::{ask, empty_gate, gate_with, Scene};

const CARD: [u8; 16] = [4; 16];

fn code(reason: Reason) -> GateReason {
    GateReason::Code(reason)
}

fn entry(gate: &mut Gate, card: &Card, issued_at_s: i64, nonce: u16) -> (Outcome, GateReason) {
    answer(&ask(gate, &card.text(issued_at_s, nonce), Direction::Entry, NOW_S))
}

fn answer(decision: &Decision) -> (Outcome, GateReason) {
    (decision.outcome, decision.reason)
}

#[test]
fn text_that_is_no_code_is_refused_by_what_is_wrong_with_it() {
    let good = Card::new(CARD).text(NOW_S, 0);
    let behind_prefix = |bytes: &[u8]| format!("{PREFIX}{}", encode_base45(bytes)).into_bytes();
    let rows: [(Vec<u8>, Reason); 9] = [
        ([&good[..], &[b'0'; 103]].concat(), Reason::TooLong),
        (vec![b'!'; 401], Reason::TooLong),
        (vec![b'!'; 400], Reason::BadPrefix),
        (vec![], Reason::BadPrefix),
        (b"pf1:00".to_vec(), Reason::BadPrefix),
        (b"PF1:!!".to_vec(), Reason::BadBase45),
        (b"PF1:".to_vec(), Reason::BadLength),
        (behind_prefix(&[1; 195]), Reason::BadLength),
        (behind_prefix(&[2; 196]), Reason::BadVersion),
    ];
    let mut gate = gate_with(content(1));
    for (text, reason) in rows {
        let decision = ask(&mut gate, &text, Direction::Entry, NOW_S);
        assert_eq!(answer(&decision), (Outcome::Refuse, code(reason)));
        assert_eq!((decision.code, decision.certain), (None, true));
    }
}

#[test]
fn a_gate_without_a_bundle_opens_for_nobody() {
    let mut gate = empty_gate(LANE_ID);
    for direction in [Direction::Entry, Direction::Exit] {
        let decision = ask(&mut gate, &Card::new(CARD).text(NOW_S, 0), direction, NOW_S);
        assert_eq!(answer(&decision), (Outcome::Refuse, GateReason::NoBundle));
    }
}

/// How a scene is spoiled.
type Fault = fn(&mut Scene);

/// What can be wrong at once with a scene, in the order in which a gate refuses it.
const FAULTS: [(GateReason, Fault); 16] = [
    (GateReason::WrongDirection, |scene| scene.lane_id = EXIT_LANE_ID),
    (GateReason::ClockBehind, |scene| {
        scene.content.issued_at_s = at(NOW_S + 31);
    }),
    (GateReason::BundleExpired, |scene| {
        scene.content.expires_at_s = at(NOW_S);
    }),
    (GateReason::Code(Reason::UnknownKid), |scene| scene.card.fields.kid = 99),
    (GateReason::Code(Reason::KidExpired), |scene| {
        scene.content.keys[0].not_after_s = at(NOW_S - 120);
    }),
    (GateReason::Code(Reason::NotYetValid), |scene| {
        scene.card.fields.not_before_s = u32::try_from(NOW_S + 3_600).unwrap();
    }),
    // More than 72 hours counts as no time at all.
    (GateReason::Code(Reason::CredentialExpired), |scene| {
        scene.card.fields.lifetime_minutes = 4_321;
    }),
    (GateReason::Code(Reason::CodeStale), |scene| {
        scene.issued_at_s = NOW_S - 61;
    }),
    (GateReason::Code(Reason::CodeFromFuture), |scene| {
        scene.issued_at_s = NOW_S + 31;
    }),
    (GateReason::Code(Reason::Denied), |scene| {
        scene.content.denied = vec![CARD];
    }),
    (GateReason::Code(Reason::Replayed), |scene| scene.replayed = true),
    (GateReason::Code(Reason::WrongProduct), |scene| {
        scene.content.lots[0].product = 2;
    }),
    (GateReason::Code(Reason::OverCeiling), |scene| {
        scene.card.fields.ceiling = 5;
        scene.fee_due_units = Some(6);
    }),
    (GateReason::Code(Reason::BadIssuerSignature), |scene| {
        scene.card.issuer_secret = [99; 32];
    }),
    (GateReason::Code(Reason::BadCodeSignature), |scene| scene.forged = true),
    (GateReason::Passback, |scene| {
        scene.content.lots[0].passback_s = 600;
        scene.passed = true;
    }),
];

#[test]
fn a_good_code_is_accepted_and_every_fault_alone_has_its_reason() {
    let accepted = Scene::new(CARD).play();
    assert_eq!(answer(&accepted), (Outcome::Accept, code(Reason::Accepted)));
    assert!(accepted.opens() && accepted.certain && accepted.code.is_some());
    for (reason, spoil) in FAULTS {
        let mut scene = Scene::new(CARD);
        spoil(&mut scene);
        assert_eq!(answer(&scene.play()), (Outcome::Refuse, reason));
    }
}

#[test]
fn of_two_faults_the_earlier_one_is_the_reason() {
    for (place, (first, spoil)) in FAULTS.into_iter().enumerate() {
        for (second, spoil_more) in FAULTS.into_iter().skip(place + 1) {
            let both = (first, second);
            // A code has one moment.
            if both == (code(Reason::CodeStale), code(Reason::CodeFromFuture)) {
                continue;
            }
            let mut scene = Scene::new(CARD);
            spoil(&mut scene);
            spoil_more(&mut scene);
            assert_eq!(answer(&scene.play()), (Outcome::Refuse, first), "{both:?}");
        }
    }
}

#[test]
fn the_risk_budget_comes_after_every_other_refusal() {
    for (reason, spoil) in FAULTS {
        let mut scene = Scene::new(CARD);
        scene.content.lots[0].risk = vec![rule(0, 0, 0, RiskOutcome::Refuse)];
        assert_eq!(answer(&scene.clone().play()), (Outcome::Refuse, GateReason::Risk));
        spoil(&mut scene);
        assert_eq!(answer(&scene.play()), (Outcome::Refuse, reason));
    }
}

#[test]
fn the_tables_of_this_file_reach_every_reason() {
    let text = [
        Reason::Accepted,
        Reason::TooLong,
        Reason::BadPrefix,
        Reason::BadBase45,
        Reason::BadLength,
        Reason::BadVersion,
    ];
    let reached: Vec<GateReason> = (text.map(GateReason::Code).into_iter())
        .chain([GateReason::NoBundle, GateReason::Risk])
        .chain(FAULTS.map(|(reason, _)| reason))
        .collect();
    for reason in GateReason::all() {
        assert!(reached.contains(&reason), "{reason:?}");
    }
}

#[test]
fn the_edges_of_the_windows_are_inside_or_outside_as_documented() {
    let rows = [
        (NOW_S - 60, code(Reason::Accepted)),
        (NOW_S - 61, code(Reason::CodeStale)),
        (NOW_S + 30, code(Reason::Accepted)),
        (NOW_S + 31, code(Reason::CodeFromFuture)),
    ];
    for (issued_at_s, reason) in rows {
        assert_eq!(
            entry(&mut gate_with(content(1)), &Card::new(CARD), issued_at_s, 0).1,
            reason
        );
    }
    let good = content(1);
    let expires_at_s = i64::try_from(good.expires_at_s).unwrap();
    let issued_at_s = i64::try_from(good.issued_at_s).unwrap();
    let rows = [
        (issued_at_s - 31, GateReason::ClockBehind),
        (issued_at_s - 30, code(Reason::Accepted)),
        (expires_at_s - 1, code(Reason::Accepted)),
        (expires_at_s, GateReason::BundleExpired),
        (i64::MIN, GateReason::ClockBehind),
        (i64::MAX, GateReason::BundleExpired),
    ];
    for (now_s, reason) in rows {
        let mut card = Card::new(CARD);
        let moment_s = now_s.clamp(0, NOW_S * 2);
        card.fields.not_before_s = u32::try_from(moment_s).unwrap();
        let decision = ask(
            &mut gate_with(content(1)),
            &card.text(moment_s, 0),
            Direction::Entry,
            now_s,
        );
        assert_eq!(decision.reason, reason, "{now_s}");
    }
}

#[test]
fn an_expired_bundle_lets_cars_out_and_flags_them() {
    let mut scene = Scene::new(CARD);
    scene.content.expires_at_s = at(NOW_S);
    scene.direction = Direction::Exit;
    assert_eq!(
        answer(&scene.play()),
        (Outcome::AcceptAndFlag, GateReason::BundleExpired)
    );
}

#[test]
fn a_code_is_used_up_only_when_the_barrier_opens() {
    let mut gate = gate_with(content(1));
    let card = Card::new(CARD).with_ceiling(5);
    let text = card.text(NOW_S, 0);
    let mut visit = parkflow_gate::Visit {
        text: &text,
        direction: Direction::Exit,
        fee_due_units: Some(6),
        now_s: NOW_S,
    };
    assert_eq!(gate.decide(&visit).reason, code(Reason::OverCeiling));
    assert_eq!(gate.decide(&visit).reason, code(Reason::OverCeiling));
    visit.fee_due_units = Some(5);
    assert_eq!(gate.decide(&visit).reason, code(Reason::Accepted));
    assert_eq!(gate.decide(&visit).reason, code(Reason::Replayed));
    assert_eq!(
        entry(&mut gate, &card, NOW_S, 1).1,
        code(Reason::Accepted),
        "the next code is another one"
    );
}

#[test]
fn a_code_that_another_gate_let_through_is_replayed_here() {
    let mut gate = gate_with(content(1));
    let card = Card::new(CARD);
    gate.note_passage(&card.code(NOW_S, 0), Direction::Entry, NOW_S);
    assert_eq!(entry(&mut gate, &card, NOW_S, 0).1, code(Reason::Replayed));
}

#[test]
fn a_card_does_not_pass_twice_the_same_way_within_the_lots_time() {
    use Direction::{Entry, Exit};
    // Noted way, how long ago, asked way, the lot's time, and whether the card passes.
    let rows = [
        (Entry, 10, Entry, 600, false),
        (Exit, 10, Exit, 600, false),
        (Entry, 10, Exit, 600, true),
        (Exit, 10, Entry, 600, true),
        (Entry, 599, Entry, 600, false),
        (Entry, 600, Entry, 600, true),
        (Entry, 10, Entry, 0, true),
        (Entry, -10, Entry, 600, false),
        (Entry, -100_000, Entry, 600, false),
        (Exit, -100_000, Exit, 600, false),
        (Entry, i64::MAX, Entry, u32::MAX, true),
    ];
    for (noted, ago_s, asked, passback_s, passes) in rows {
        let mut content = content(1);
        content.lots[0].passback_s = passback_s;
        let mut gate = gate_with(content);
        let card = Card::new(CARD);
        gate.note_passage(&card.code(NOW_S, 1), noted, NOW_S.saturating_sub(ago_s));
        let decision = ask(&mut gate, &card.text(NOW_S, 2), asked, NOW_S);
        let expected = if passes {
            code(Reason::Accepted)
        } else {
            GateReason::Passback
        };
        assert_eq!(decision.reason, expected, "{:?}", (noted, ago_s, asked, passback_s));
    }
}

#[test]
fn coming_back_the_other_way_ends_the_passback() {
    let mut content = content(1);
    content.lots[0].passback_s = 600;
    let mut gate = gate_with(content);
    let card = Card::new(CARD);
    let steps = [
        (Direction::Entry, code(Reason::Accepted)),
        (Direction::Entry, GateReason::Passback),
        (Direction::Exit, code(Reason::Accepted)),
        (Direction::Exit, GateReason::Passback),
        (Direction::Entry, code(Reason::Accepted)),
    ];
    for (nonce, (direction, reason)) in steps.into_iter().enumerate() {
        let text = card.text(NOW_S, u16::try_from(nonce).unwrap());
        assert_eq!(ask(&mut gate, &text, direction, NOW_S).reason, reason, "step {nonce}");
    }
    let other = Card::new([5; 16]);
    assert_eq!(
        entry(&mut gate, &other, NOW_S, 9).1,
        code(Reason::Accepted),
        "another card"
    );
}

#[test]
fn a_passage_that_is_told_late_does_not_undo_a_newer_one() {
    let mut content = content(1);
    content.lots[0].passback_s = 600;
    let mut gate = gate_with(content);
    let card = Card::new(CARD);
    gate.note_passage(&card.code(NOW_S, 1), Direction::Entry, NOW_S - 10);
    gate.note_passage(&card.code(NOW_S, 2), Direction::Exit, NOW_S - 20);
    assert_eq!(entry(&mut gate, &card, NOW_S, 3).1, GateReason::Passback);
}

#[test]
fn a_clock_that_was_set_back_opens_nothing() {
    let mut content = content(1);
    content.lots[0].passback_s = 600;
    content.issued_at_s = at(NOW_S - 7_200);
    let mut gate = gate_with(content);
    let card = Card::new(CARD);
    assert_eq!(entry(&mut gate, &card, NOW_S, 0).1, code(Reason::Accepted));
    for back_s in [1, 60, 600, 3_600] {
        let now_s = NOW_S - back_s;
        let again = ask(&mut gate, &card.text(now_s, 1), Direction::Entry, now_s);
        assert_eq!(again.reason, GateReason::Passback, "{back_s}");
        let same = ask(&mut gate, &card.text(NOW_S, 0), Direction::Exit, now_s);
        assert!(!same.opens(), "{back_s}");
    }
}

#[test]
fn after_a_clock_was_set_back_the_last_passage_still_counts() {
    let mut content = content(1);
    content.lots[0].passback_s = 600;
    content.lots[0].exit_denied = ExitDenied::Pay;
    content.issued_at_s = at(NOW_S - 7_200);
    let mut gate = gate_with(content);
    let card = Card::new(CARD);
    assert_eq!(entry(&mut gate, &card, NOW_S, 0).1, code(Reason::Accepted));
    let back_s = NOW_S - 1_800;
    let out = ask(&mut gate, &card.text(back_s, 1), Direction::Exit, back_s);
    assert_eq!(out.reason, code(Reason::Accepted));
    let second_car = ask(&mut gate, &card.text(back_s + 15, 2), Direction::Exit, back_s + 15);
    assert_eq!(second_car.reason, GateReason::Passback);
    let back_in = ask(&mut gate, &card.text(back_s + 30, 3), Direction::Entry, back_s + 30);
    assert_eq!(back_in.reason, code(Reason::Accepted));
}

#[test]
fn only_a_denial_is_worth_a_question_to_the_service() {
    let filter = filter_over(CARD[0], 50);
    let mut content = content(1);
    content.filter = Some(filter.name());
    let mut gate = empty_gate(LANE_ID);
    gate.take_bundle(&sealed(content), Some(filter.bytes()), NOW_S - 60)
        .unwrap();
    let card = Card::new(CARD);
    let denied = ask(&mut gate, &card.text(NOW_S, 0), Direction::Entry, NOW_S);
    assert_eq!((denied.reason, denied.certain), (code(Reason::Denied), false));
    let stale = ask(&mut gate, &card.text(NOW_S - 600, 0), Direction::Entry, NOW_S);
    assert_eq!((stale.reason, stale.certain), (code(Reason::CodeStale), true));
}

/// One after the other for one card; the same decisions must come whatever was verified before.
#[test]
fn a_verified_credential_saves_no_check_but_the_issuers() {
    let mut gate = gate_with(content(1));
    let card = Card::new(CARD);
    assert_eq!(entry(&mut gate, &card, NOW_S, 0).1, code(Reason::Accepted));
    let mut forged = *card.code(NOW_S, 1).encode();
    forged[195] ^= 1;
    let text = format!("{PREFIX}{}", encode_base45(&forged)).into_bytes();
    assert_eq!(
        ask(&mut gate, &text, Direction::Entry, NOW_S).reason,
        code(Reason::BadCodeSignature)
    );
    let mut other_issuer = content(2);
    other_issuer.keys = vec![key(KID, &[77; 32])];
    gate.take_bundle(&operator::sealed(other_issuer), None, NOW_S).unwrap();
    assert_eq!(entry(&mut gate, &card, NOW_S, 2).1, code(Reason::BadIssuerSignature));
}

#[test]
fn a_denied_card_at_an_exit_leaves_flagged_or_pays_as_the_lot_has_it() {
    // Whether the list or the filter denies it, the lot's rule, the outcome, and whether that is certain.
    let rows = [
        (true, ExitDenied::Accept, Outcome::AcceptAndFlag, true),
        (true, ExitDenied::Pay, Outcome::Refuse, true),
        (false, ExitDenied::Accept, Outcome::AcceptAndFlag, false),
        (false, ExitDenied::Pay, Outcome::Refuse, false),
    ];
    for (listed, exit_denied, outcome, certain) in rows {
        let filter = filter_over(4, 1_000);
        let mut content = content(1);
        content.lots[0].exit_denied = exit_denied;
        content.denied = if listed { vec![CARD] } else { vec![] };
        content.filter = (!listed).then(|| filter.name());
        let mut gate = empty_gate(LANE_ID);
        gate.take_bundle(&operator::sealed(content), Some(filter.bytes()), NOW_S)
            .unwrap();
        let card = Card::new(CARD);
        let out = ask(&mut gate, &card.text(NOW_S, 0), Direction::Exit, NOW_S);
        assert_eq!((answer(&out), out.certain), ((outcome, code(Reason::Denied)), certain));
        let into = ask(&mut gate, &card.text(NOW_S, 1), Direction::Entry, NOW_S);
        assert_eq!(
            (answer(&into), into.certain),
            ((Outcome::Refuse, code(Reason::Denied)), certain)
        );
    }
}

#[test]
fn the_lists_of_the_bundle_and_the_services_word_rank_as_documented() {
    // On the filter, on the cleared list, on the denied list, cleared by the service; then whether denied and certain.
    let rows = [
        (true, false, false, false, Some(false)),
        (true, false, false, true, None),
        (true, true, false, false, None),
        (true, true, true, false, Some(true)),
        (false, true, true, false, Some(true)),
        (false, false, true, true, Some(true)),
        (true, true, true, true, Some(true)),
        (false, false, false, false, None),
    ];
    for (filtered, cleared, denied, cleared_by_service, denial) in rows {
        let filter = filter_over(if filtered { 4 } else { 9 }, 100);
        let mut content = content(1);
        content.filter = Some(filter.name());
        content.cleared = if cleared { vec![CARD] } else { vec![] };
        content.denied = if denied { vec![CARD] } else { vec![] };
        let mut gate = empty_gate(LANE_ID);
        gate.take_bundle(&operator::sealed(content), Some(filter.bytes()), NOW_S)
            .unwrap();
        if cleared_by_service {
            gate.clear(CARD);
        }
        let decision = ask(&mut gate, &Card::new(CARD).text(NOW_S, 0), Direction::Entry, NOW_S);
        let reason = if denial.is_some() {
            Reason::Denied
        } else {
            Reason::Accepted
        };
        assert_eq!(decision.reason, code(reason));
        assert_eq!(decision.certain, denial.unwrap_or(true));
    }
}

#[test]
fn a_subject_is_cleared_until_the_next_filter_and_no_longer() {
    let (first, second) = (filter_over(4, 100), filter_over(4, 101));
    let mut gate = empty_gate(LANE_ID);
    let take = |gate: &mut Gate, version, filter: &parkflow_core::bundle::DenyFilter| {
        let mut content = content(version);
        content.filter = Some(filter.name());
        gate.take_bundle(&operator::sealed(content), Some(filter.bytes()), NOW_S)
            .unwrap();
    };
    let card = Card::new(CARD);
    take(&mut gate, 1, &first);
    gate.clear(CARD);
    assert_eq!(entry(&mut gate, &card, NOW_S, 0).1, code(Reason::Accepted));
    take(&mut gate, 2, &first);
    assert_eq!(entry(&mut gate, &card, NOW_S, 1).1, code(Reason::Accepted));
    take(&mut gate, 3, &second);
    assert_eq!(entry(&mut gate, &card, NOW_S, 2).1, code(Reason::Denied));
}

#[test]
fn a_lane_takes_only_the_ways_that_it_leads() {
    use operator::ENTRY_LANE_ID;
    let rows = [
        (LANE_ID, Direction::Entry, true),
        (LANE_ID, Direction::Exit, true),
        (ENTRY_LANE_ID, Direction::Entry, true),
        (ENTRY_LANE_ID, Direction::Exit, false),
        (EXIT_LANE_ID, Direction::Entry, false),
        (EXIT_LANE_ID, Direction::Exit, true),
    ];
    for (lane_id, direction, leads_there) in rows {
        let mut scene = Scene::new(CARD);
        (scene.lane_id, scene.direction) = (lane_id, direction);
        assert_eq!(scene.play().opens(), leads_there, "{lane_id} {direction:?}");
    }
    assert_eq!(lot().lanes.len(), 3);
}
