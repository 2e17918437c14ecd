//! The canonical record of a priced stay: everything that is needed to compute the fee again.

use std::fmt::Write as _;

use super::canonical::write_text;
use super::fee::{Fee, Stay};
use super::history::History;
use super::lines::FeeLine;
use super::model::Tariff;
use super::terms::Terms;

impl Tariff {
    /// Compact JSON with sorted names: the inputs, the tariff's hash, the tz database version, the lines and the fee.
    ///
    /// The same inputs give the same bytes. Passes, vouchers and payments appear when there are any. For the first stay of an
    /// account; for a later one see [`Tariff::receipt_json_after`].
    #[must_use]
    pub fn receipt_json(&self, stay: &Stay<'_>, terms: &Terms<'_>, fee: &Fee) -> String {
        self.receipt_json_after(&History::default(), stay, terms, fee)
    }

    /// The record of a stay that was settled after the stays in `history`, as that was *before* this one.
    ///
    /// `history` holds the part of it that the fee may depend on ([`Tariff::history_of`]), when there is any; so the fee can be
    /// computed again from the record alone.
    #[must_use]
    pub fn receipt_json_after(&self, history: &History, stay: &Stay<'_>, terms: &Terms<'_>, fee: &Fee) -> String {
        let mut out = String::with_capacity(512);
        // Writing to a String cannot fail.
        out.push('{');
        write_pairs(
            &mut out,
            "covered",
            terms.covered.iter().map(|(from_s, to_s)| format!("[{from_s},{to_s}]")),
        );
        out.push_str("\"currency\":");
        write_text(&mut out, self.currency());
        let _ = write!(
            out,
            ",\"entry_s\":{},\"exit_s\":{},\"fee_minor\":{},",
            stay.entry_s, stay.exit_s, fee.fee_minor
        );
        let before = self.history_of(stay, history);
        if !before.is_empty() {
            let _ = write!(out, "\"history\":{},", before.to_json());
        }
        write_lines(&mut out, &fee.lines);
        let paid = terms
            .paid
            .iter()
            .map(|payment| format!("[{},{}]", payment.at_s, payment.amount_minor));
        write_pairs(&mut out, "paid", paid);
        out.push_str("\"plan\":");
        write_text(&mut out, &fee.plan);
        out.push_str(",\"tags\":[");
        for (place, tag) in stay.tags.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            write_text(&mut out, tag);
        }
        out.push_str("],\"tariff_id\":");
        write_text(&mut out, self.id());
        let _ = write!(out, ",\"tariff_sha256\":\"{}\",\"timezone\":", self.sha256_hex());
        write_text(&mut out, self.timezone());
        out.push_str(",\"tzdata_version\":");
        write_text(&mut out, self.tzdata_version());
        out.push_str(",\"vehicle_class\":");
        match stay.class {
            Some(class) => write_text(&mut out, class),
            None => out.push_str("null"),
        }
        out.push(',');
        let vouchers = terms
            .vouchers
            .iter()
            .map(|voucher| format!("[\"{}\",{}]", voucher.kind.name(), voucher.value));
        write_pairs(&mut out, "vouchers", vouchers);
        if terms.vouchers_as_given {
            out.push_str("\"vouchers_as_given\":true,");
        }
        // The last field left a comma behind.
        out.pop();
        out.push('}');
        out
    }
}

/// The field `lines` and a comma after it.
fn write_lines(out: &mut String, lines: &[FeeLine]) {
    out.push_str("\"lines\":[");
    for (place, line) in lines.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        let _ = write!(out, "{{\"amount_minor\":{},\"band\":", line.amount_minor);
        write_text(out, &line.band);
        let _ = write!(
            out,
            ",\"from_s\":{},\"kind\":\"{}\",\"to_s\":{},\"units\":{}}}",
            line.from_s,
            line.kind.name(),
            line.to_s,
            line.units
        );
    }
    out.push_str("],");
}

/// A field with a list of pairs and a comma after it; nothing when the list is empty.
fn write_pairs(out: &mut String, name: &str, pairs: impl Iterator<Item = String>) {
    let pairs: Vec<String> = pairs.collect();
    if !pairs.is_empty() {
        let _ = write!(out, "\"{name}\":[{}],", pairs.join(","));
    }
}
