//! The offline risk budget: which rules match, which outcome counts, and where it only flags.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod operator;
mod scene;

use operator::{at, content, rule, sealed, Card, LANE_ID, NOW_S};
use parkflow_core::bundle::{ExitDenied, RiskOutcome};
use parkflow_core::code::Reason;
use parkflow_gate::{bundle_age_s, risk_of, Ages, Direction, GateReason, Outcome};
use scene::{ask, empty_gate, gate_with};

const CARD: [u8; 16] = [4; 16];

#[test]
fn a_rule_matches_from_all_three_of_its_bounds_on() {
    let rules = [rule(50, 20, 3_600, RiskOutcome::Refuse)];
    for ceiling in [1, 49, 50, 51, u16::MAX, 0] {
        for code_s in [0, 19, 20, 21, u64::MAX] {
            for bundle_s in [0, 3_599, 3_600, 3_601, u64::MAX] {
                // No limit is above all.
                let high = ceiling == 0 || ceiling >= 50;
                let matches = high && code_s >= 20 && bundle_s >= 3_600;
                let risk = risk_of(&rules, ceiling, Ages { code_s, bundle_s });
                assert_eq!(
                    risk,
                    matches.then_some(RiskOutcome::Refuse),
                    "{ceiling} {code_s} {bundle_s}"
                );
            }
        }
    }
}

#[test]
fn a_credential_without_a_limit_is_above_the_highest_ceiling() {
    let rules = [rule(u16::MAX, 0, 0, RiskOutcome::Flag)];
    let ages = Ages { code_s: 0, bundle_s: 0 };
    let rows = [
        (0, Some(RiskOutcome::Flag)),
        (u16::MAX, Some(RiskOutcome::Flag)),
        (u16::MAX - 1, None),
    ];
    for (ceiling, risk) in rows {
        assert_eq!(risk_of(&rules, ceiling, ages), risk);
    }
}

#[test]
fn of_the_rules_that_match_the_strictest_counts_in_any_order() {
    let flag = rule(0, 0, 0, RiskOutcome::Flag);
    let refuse = rule(0, 0, 100, RiskOutcome::Refuse);
    for rules in [[flag, refuse], [refuse, flag]] {
        for (bundle_s, outcome) in [(99, RiskOutcome::Flag), (100, RiskOutcome::Refuse)] {
            assert_eq!(risk_of(&rules, 1, Ages { code_s: 0, bundle_s }), Some(outcome));
        }
    }
    assert_eq!(
        risk_of(
            &[],
            0,
            Ages {
                code_s: u64::MAX,
                bundle_s: u64::MAX
            }
        ),
        None
    );
}

#[test]
fn a_bundle_is_as_old_as_its_signature_or_its_last_confirmation() {
    // Now, signed at, confirmed at; the age is never negative.
    let rows = [
        (100, 40, None, 60),
        (100, 40, Some(90), 10),
        (100, 40, Some(10), 60),
        (30, 40, None, 0),
        // A confirmation in the future is none: that clock is not to be believed.
        (100, 40, Some(200), 60),
        (i64::MIN, u64::MAX, Some(i64::MAX), 0),
        (i64::MAX, 0, None, u64::try_from(i64::MAX).unwrap()),
    ];
    for (now_s, issued_at_s, confirmed_at_s, age_s) in rows {
        assert_eq!(bundle_age_s(now_s, issued_at_s, confirmed_at_s), age_s);
    }
}

#[test]
fn the_gate_applies_the_budget_by_way_and_by_the_lots_rule() {
    use Direction::{Entry, Exit};
    use ExitDenied::{Accept, Pay};
    let rows = [
        (Entry, Accept, RiskOutcome::Flag, Outcome::AcceptAndFlag),
        (Entry, Accept, RiskOutcome::Refuse, Outcome::Refuse),
        (Entry, Pay, RiskOutcome::Refuse, Outcome::Refuse),
        (Exit, Accept, RiskOutcome::Flag, Outcome::AcceptAndFlag),
        (Exit, Accept, RiskOutcome::Refuse, Outcome::AcceptAndFlag),
        (Exit, Pay, RiskOutcome::Flag, Outcome::AcceptAndFlag),
        (Exit, Pay, RiskOutcome::Refuse, Outcome::Refuse),
    ];
    for (direction, exit_denied, risk, outcome) in rows {
        let mut content = content(1);
        content.lots[0].exit_denied = exit_denied;
        content.lots[0].risk = vec![rule(10, 5, 0, risk)];
        let mut gate = gate_with(content);
        let card = Card::new(CARD).with_ceiling(10);
        let young = ask(&mut gate, &card.text(NOW_S - 4, 0), direction, NOW_S);
        assert_eq!(
            (young.outcome, young.reason),
            (Outcome::Accept, GateReason::Code(Reason::Accepted))
        );
        let old = ask(&mut gate, &card.text(NOW_S - 5, 1), direction, NOW_S);
        assert_eq!((old.outcome, old.reason), (outcome, GateReason::Risk));
        let low = Card::new([5; 16]).with_ceiling(9);
        assert_eq!(
            ask(&mut gate, &low.text(NOW_S - 5, 2), direction, NOW_S).outcome,
            Outcome::Accept
        );
    }
}

#[test]
fn a_confirmed_bundle_is_young_again_and_a_newer_one_is_too() {
    let with_rule = |version| {
        let mut content = content(version);
        content.issued_at_s = at(NOW_S - 7_200);
        content.lots[0].risk = vec![rule(0, 0, 3_600, RiskOutcome::Refuse)];
        sealed(content)
    };
    let mut gate = empty_gate(LANE_ID);
    let card = Card::new(CARD);
    let mut nonce = 0;
    let mut reason = |gate: &mut parkflow_gate::Gate| {
        nonce += 1;
        ask(gate, &card.text(NOW_S, nonce), Direction::Entry, NOW_S).reason
    };
    gate.take_bundle(&with_rule(1), None, NOW_S - 3_600).unwrap();
    assert_eq!(reason(&mut gate), GateReason::Risk);
    gate.confirm_bundle(NOW_S - 3_599);
    assert_eq!(reason(&mut gate), GateReason::Code(Reason::Accepted));
    gate.confirm_bundle(NOW_S - 3_600);
    assert_eq!(reason(&mut gate), GateReason::Risk);
    gate.take_bundle(&with_rule(2), None, NOW_S).unwrap();
    assert_eq!(reason(&mut gate), GateReason::Code(Reason::Accepted));
}
