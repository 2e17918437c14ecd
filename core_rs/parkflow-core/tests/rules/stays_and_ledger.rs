//! Pairing of scans and constructors of transfers: the shared vectors, and what must hold for all scans and transfers.

use crate::golden::{json, number, rows, string};
use parkflow_core::ledger::{check_batch, BatchError, Transfer, TransferError};
use parkflow_core::stay::{pair_groups, pair_scans, Direction, EventId, Pairing, Scan, DEBOUNCE_MS};
use proptest::prelude::*;
use serde_json::Value;

fn event_id(text: &str) -> EventId {
    let parts: Vec<i64> = text.split('-').map(|part| part.parse().unwrap()).collect();
    EventId {
        gate_id: parts[0],
        epoch: parts[1],
        seq: parts[2],
    }
}

fn scan(value: &Value) -> Scan {
    let direction = if value["direction"] == "entry" {
        Direction::Entry
    } else {
        Direction::Exit
    };
    Scan {
        at_ms: number(&value["at_ms"]),
        id: event_id(string(&value["id"])),
        direction,
    }
}

fn ids(value: &Value) -> Vec<EventId> {
    rows(value).iter().map(|id| event_id(string(id))).collect()
}

fn id_pairs(value: &Value) -> Vec<(EventId, EventId)> {
    rows(value).iter().map(ids).map(|pair| (pair[0], pair[1])).collect()
}

#[test]
fn scans_are_paired_as_the_vectors_say() {
    let vectors = json("pairing.json");
    let debounce_ms: i64 = number(&vectors["debounce_ms"]);
    assert_eq!(debounce_ms, DEBOUNCE_MS);
    for case in rows(&vectors["cases"]) {
        let open = Some(&case["open"]).filter(|open| !open.is_null()).map(scan);
        let scans: Vec<Scan> = rows(&case["scans"]).iter().map(scan).collect();
        let pairing = pair_scans(open, &scans, debounce_ms);
        let expect = &case["expect"];
        let name = &case["name"];
        assert_eq!(
            pairing.open.map(|scan| scan.id),
            expect["open"].as_str().map(event_id),
            "{name}"
        );
        assert_eq!(Some(pairing.opened), expect["opened"].as_bool(), "{name}");
        let closed: Vec<_> = pairing.closed.iter().map(|(entry, exit)| (entry.id, exit.id)).collect();
        assert_eq!(closed, id_pairs(&expect["closed"]), "{name}");
        let held: Vec<_> = pairing.awaiting_entry.iter().map(|scan| scan.id).collect();
        assert_eq!(held, ids(&expect["awaiting_entry"]), "{name}");
        let missing: Vec<_> = pairing.missing_exit.iter().map(|scan| scan.id).collect();
        assert_eq!(missing, ids(&expect["missing_exit"]), "{name}");
        let repeated: Vec<_> = pairing
            .duplicates
            .iter()
            .map(|duplicate| (duplicate.scan.id, duplicate.of))
            .collect();
        assert_eq!(repeated, id_pairs(&expect["duplicates"]), "{name}");
    }
}

fn scans() -> impl Strategy<Value = Vec<Scan>> {
    // Instants close together, so that ties, repetitions and overtaking happen.
    let one = (0_i64..40, any::<bool>())
        .prop_map(|(step, is_entry)| (step * 30_000, if is_entry { Direction::Entry } else { Direction::Exit }));
    prop::collection::vec(one, 0..14).prop_map(|parts| {
        let number = |seq: usize| EventId {
            gate_id: 1,
            epoch: 1,
            seq: i64::try_from(seq).unwrap(),
        };
        let numbered = parts.into_iter().enumerate();
        numbered
            .map(|(seq, (at_ms, direction))| Scan {
                at_ms,
                id: number(seq),
                direction,
            })
            .collect()
    })
}

fn mentioned(pairing: &Pairing) -> Vec<Scan> {
    let closed = pairing.closed.iter().flat_map(|(entry, exit)| [*entry, *exit]);
    let mut all: Vec<Scan> = closed
        .chain(pairing.open)
        .chain(pairing.awaiting_entry.iter().copied())
        .chain(pairing.missing_exit.iter().copied())
        .chain(pairing.duplicates.iter().map(|duplicate| duplicate.scan))
        .collect();
    all.sort_unstable();
    all
}

proptest! {
    #[test]
    fn the_order_of_arrival_never_matters(scans in scans(), seed in any::<u64>()) {
        let mut shuffled = scans.clone();
        let mut next = crate::golden::coefficients(seed);
        for index in (1..shuffled.len()).rev() {
            let mut buffer = [0; 8];
            next(&mut buffer);
            shuffled.swap(index, usize::try_from(u64::from_le_bytes(buffer) % (index as u64 + 1)).unwrap());
        }
        prop_assert_eq!(pair_scans(None, &shuffled, DEBOUNCE_MS), pair_scans(None, &scans, DEBOUNCE_MS));
    }

    #[test]
    fn every_scan_is_in_exactly_one_place(scans in scans()) {
        let mut given = scans.clone();
        given.sort_unstable();
        prop_assert_eq!(mentioned(&pair_scans(None, &scans, DEBOUNCE_MS)), given);
    }

    #[test]
    fn what_was_applied_changes_nothing_when_given_again(scans in scans()) {
        let first = pair_scans(None, &scans, DEBOUNCE_MS);
        let mut again = first.awaiting_entry.clone();
        again.extend(first.open);
        let second = pair_scans(first.open, &again, DEBOUNCE_MS);
        prop_assert_eq!(second.open, first.open);
        prop_assert!(!second.opened);
        prop_assert!(second.closed.is_empty() && second.missing_exit.is_empty() && second.duplicates.is_empty());
        prop_assert_eq!(&second.awaiting_entry, &first.awaiting_entry);
        let twice: Vec<Scan> = scans.iter().chain(&scans).copied().collect();
        prop_assert_eq!(pair_scans(None, &twice, DEBOUNCE_MS), first);
    }

    #[test]
    fn a_closed_stay_never_ends_before_it_begins(scans in scans()) {
        for (entry, exit) in pair_scans(None, &scans, DEBOUNCE_MS).closed {
            prop_assert!(entry < exit);
            prop_assert_eq!((entry.direction, exit.direction), (Direction::Entry, Direction::Exit));
        }
    }

    #[test]
    fn groups_are_paired_each_for_itself(left in scans(), right in scans()) {
        let groups = [(None, left.clone()), (None, right.clone())];
        let expected = vec![pair_scans(None, &left, DEBOUNCE_MS), pair_scans(None, &right, DEBOUNCE_MS)];
        prop_assert_eq!(pair_groups(&groups, DEBOUNCE_MS), expected);
    }

    #[test]
    fn a_batch_of_transfers_adds_up_to_zero(amounts in prop::collection::vec(1_i64..1_000_000, 0..40)) {
        let mut batch = Vec::new();
        for (charge_id, amount_minor) in (1..).zip(amounts) {
            batch.push(Transfer::charge_raised(charge_id % 5, 3, charge_id, amount_minor).unwrap());
            if charge_id % 2 == 0 {
                let order_number = format!("PF{charge_id}");
                batch.push(Transfer::charge_paid(charge_id % 5, "sim-1", &order_number, amount_minor).unwrap());
            }
        }
        let balances = check_batch(&batch).unwrap();
        prop_assert_eq!(balances.values().sum::<i64>(), 0);
    }
}

fn made(case: &Value) -> Result<Transfer, TransferError> {
    let arguments = &case["args"];
    let id = |name: &str| number::<i64>(&arguments[name]);
    let text = |name: &str| string(&arguments[name]);
    let amount_minor = id("amount_minor");
    match string(&case["call"]) {
        "charge_raised" => Transfer::charge_raised(id("card_id"), id("operator_id"), id("charge_id"), amount_minor),
        "charge_paid" => Transfer::charge_paid(
            id("card_id"),
            text("channel_account"),
            text("order_number"),
            amount_minor,
        ),
        "charge_waived" => Transfer::charge_waived(id("card_id"), id("operator_id"), id("charge_id"), amount_minor),
        "charge_refunded" => Transfer::charge_refunded(
            id("operator_id"),
            text("channel_account"),
            text("refund_number"),
            amount_minor,
        ),
        "deposit_paid" => Transfer::deposit_paid(
            id("card_id"),
            text("channel_account"),
            text("order_number"),
            amount_minor,
        ),
        "deposit_refunded" => Transfer::deposit_refunded(
            id("card_id"),
            text("channel_account"),
            text("refund_number"),
            amount_minor,
        ),
        "overpayment_received" => Transfer::overpayment_received(
            id("card_id"),
            text("channel_account"),
            text("order_number"),
            amount_minor,
        ),
        "overpayment_refunded" => Transfer::overpayment_refunded(
            id("card_id"),
            text("channel_account"),
            text("refund_number"),
            amount_minor,
        ),
        "written_off" => Transfer::written_off(id("card_id"), id("operator_id"), id("charge_id"), amount_minor),
        other => panic!("no constructor {other}"),
    }
}

fn owner(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn each_constructor_names_its_two_accounts() {
    let vectors = json("ledger.json");
    for case in rows(&vectors["transfers"]) {
        let transfer = made(case).unwrap();
        assert_eq!(transfer.debit().kind(), case["debit"][0], "{case}");
        assert_eq!(transfer.debit().owner(), owner(&case["debit"][1]), "{case}");
        assert_eq!(transfer.credit().kind(), case["credit"][0], "{case}");
        assert_eq!(transfer.credit().owner(), owner(&case["credit"][1]), "{case}");
        assert_eq!(transfer.code().name(), case["code"]);
        assert_eq!(transfer.reference(), string(&case["reference"]));
        assert_eq!(transfer.amount_minor(), number::<i64>(&case["args"]["amount_minor"]));
    }
}

#[test]
fn a_transfer_is_positive_and_names_what_happened() {
    assert_eq!(
        Transfer::charge_raised(1, 2, 3, 0),
        Err(TransferError::AmountNotPositive)
    );
    assert_eq!(
        Transfer::charge_raised(1, 2, 3, -5),
        Err(TransferError::AmountNotPositive)
    );
    assert_eq!(
        Transfer::charge_paid(1, "sim-1", "", 5),
        Err(TransferError::ReferenceMissing)
    );
    assert_eq!(
        Transfer::charge_paid(1, "", "PF1", 5),
        Err(TransferError::ChannelAccountMissing)
    );
}

#[test]
fn a_batch_repeats_nothing_and_fits() {
    let one = Transfer::charge_raised(1, 2, 3, 5).unwrap();
    assert_eq!(check_batch(&[one.clone(), one.clone()]), Err(BatchError::Repeated(1)));
    let most = |charge_id| Transfer::charge_raised(1, 2, charge_id, i64::MAX).unwrap();
    assert_eq!(check_batch(&[most(1), most(2)]), Err(BatchError::SumTooLarge));
    assert_eq!(check_batch(&[]).map(|balances| balances.len()), Ok(0));
}
