//! The fee of a stay by itself, without its breakdown: the same meter and caps, with nothing kept in between.

// Instants lie in 1970 to 2100 (checked first), so their differences stay far inside 64 bits; money is checked.
#![allow(clippy::arithmetic_side_effects)]

use super::amount::Amount;
use super::calendar::LocalClock;
use super::candidate::is_below;
use super::caps::{CapChain, CapWalk};
use super::error::PriceError;
use super::fee::{Stay, STAY_SECONDS_MAX};
use super::meter::{Chargeable, Path};
use super::model::{Choose, Tariff};

/// What a vehicle class and the tags decide before any time is known: which plans are candidates, and which of their caps.
pub(super) struct Profile {
    plans: Vec<ProfilePlan>,
}

struct ProfilePlan {
    index: usize,
    /// Indices of the caps that may apply.
    caps: Vec<usize>,
}

/// Prices stays one after the other, and remembers what it has looked up about days and zones.
pub(super) struct Pricer<'a> {
    tariff: &'a Tariff,
    clock: LocalClock<'a>,
    paths: Vec<Path<'a>>,
}

impl Tariff {
    pub(super) fn profile(&self, class: Option<&str>, tags: &[&str]) -> Profile {
        let stay = Stay {
            entry_s: 0,
            exit_s: 0,
            class,
            tags,
        };
        let candidates = self.plans.iter().enumerate();
        let plans = candidates
            .filter(|(_, plan)| plan.condition.holds_for(&stay))
            .map(|(index, plan)| ProfilePlan {
                index,
                caps: (0..plan.caps.len())
                    .filter(|cap| plan.caps[*cap].condition.holds_for(&stay))
                    .collect(),
            });
        Profile { plans: plans.collect() }
    }
}

impl<'a> Pricer<'a> {
    /// `many`: whether it is worth while to keep tables of days.
    pub fn new(tariff: &'a Tariff, many: bool) -> Self {
        Self {
            tariff,
            clock: LocalClock::new(&tariff.zone),
            paths: tariff
                .plans
                .iter()
                .zip(&tariff.compiled)
                .map(|(plan, compiled)| Path::new(plan, compiled, many))
                .collect(),
        }
    }

    /// The fee in minor units of a stay without passes, vouchers, payments or history.
    #[inline]
    pub fn fee_minor(&mut self, profile: &Profile, entry_s: i64, exit_s: i64) -> Result<i64, PriceError> {
        let (entry_s, exit_s) = self.tariff.normalised_instants(entry_s, exit_s)?;
        let mut best: Option<(i128, i128)> = None;
        for candidate in &profile.plans {
            let Some(fee) = self.plan_fee(candidate, entry_s, exit_s)? else {
                continue;
            };
            if best.is_none_or(|best| is_below(fee, best)) {
                best = Some(fee);
            }
            if self.tariff.choose == Choose::First {
                break;
            }
        }
        let (fee_scaled, scale) = best.ok_or(PriceError::NoPlan)?;
        let fee_minor = self.tariff.rounding.round(fee_scaled, scale)?;
        self.tariff.with_tax(fee_minor)
    }

    /// The exact fee under a plan and its scale; `None`: its condition does not hold.
    #[inline]
    fn plan_fee(
        &mut self,
        candidate: &ProfilePlan,
        entry_s: i64,
        exit_s: i64,
    ) -> Result<Option<(i128, i128)>, PriceError> {
        let path = &mut self.paths[candidate.index];
        let (plan, compiled) = (path.plan, path.compiled);
        if compiled.asks_for_time && !plan.condition.holds_at(&self.clock, entry_s, exit_s) {
            return Ok(None);
        }
        let length_s = exit_s - entry_s;
        debug_assert!(length_s <= STAY_SECONDS_MAX);
        if length_s == 0 || plan.grace.is_some_and(|grace| grace.forgives(length_s)) {
            return Ok(Some((0, plan.scale)));
        }
        let free_s = plan.free.seconds.min(length_s);
        let start_s = entry_s + free_s;
        let closed = match (&compiled.flat, &compiled.steady) {
            (Some(flat), _) => flat.sum(&self.clock, entry_s, start_s, exit_s),
            (None, Some(steady)) => steady.sum(&self.clock, start_s, exit_s),
            (None, None) => None,
        };
        let time = Chargeable {
            entry_s,
            exit_s,
            covered: &[],
            free_s,
        };
        let fee_scaled = if let Some(fee_scaled) = closed {
            fee_scaled.wide()
        } else if compiled.is_narrow {
            capped_sum::<i64>(path, &self.clock, time, &candidate.caps)?.wide()
        } else {
            capped_sum::<i128>(path, &self.clock, time, &candidate.caps)?
        };
        let raised = if fee_scaled > 0 {
            fee_scaled.max(plan.min_scaled)
        } else {
            fee_scaled
        };
        Ok(Some((raised, plan.scale)))
    }
}

/// The sum of what the caps let through.
#[inline]
fn capped_sum<A: Amount>(
    path: &mut Path<'_>,
    clock: &LocalClock<'_>,
    time: Chargeable<'_>,
    caps: &[usize],
) -> Result<A, PriceError> {
    let (plan, compiled) = (path.plan, path.compiled);
    let walk = |index: &usize| CapWalk::new(&plan.caps[*index], &compiled.caps[*index], clock, time.entry_s);
    let asks = |index: &usize| compiled.caps[*index].asks_for_time;
    let mut sum = |caps: &mut [CapWalk<'_, A>]| {
        let mut chain = CapChain {
            caps,
            total: A::default(),
            runs: 0,
        };
        path.meter(clock, time, &mut chain)?;
        Ok(chain.total)
    };
    match caps {
        [] => sum(&mut []),
        [only] if !asks(only) => sum(&mut [walk(only)]),
        [first, second] if !asks(first) && !asks(second) => sum(&mut [walk(first), walk(second)]),
        _ => {
            let holds = |index: &&usize| {
                let condition = &plan.caps[**index].condition;
                !asks(index) || condition.holds_at(clock, time.entry_s, time.exit_s)
            };
            let mut walks: Vec<CapWalk<'_, A>> = caps.iter().filter(holds).map(walk).collect();
            sum(&mut walks)
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tariff::{History, Terms};

    fn tariff(zone: &str, fields: &str, bands: &str) -> Tariff {
        let text = format!(
            "{{ptl: 1, id: t, currency: CNY, minor_exponent: 2, timezone: {zone}, plans: [{{id: p, edge: split, {fields}, bands: \
             [{bands}]}}]}}"
        );
        Tariff::parse(&text).expect("a tariff")
    }

    /// Around changes of clocks, year's ends and ordinary weeks.
    fn stays() -> impl Strategy<Value = (i64, i64)> {
        let starts = prop_oneof![
            Just(1_772_928_000_i64),
            Just(1_774_742_400),
            Just(1_792_886_400),
            Just(1_798_675_200),
            0..4_000_000_000_i64
        ];
        let lengths = prop_oneof![0..7_200_i64, 0..200_000_i64, 0..40_i64 * 86_400];
        (starts, -180_000..180_000_i64, lengths).prop_map(|(start_s, off_s, length_s)| {
            let entry_s = (start_s + off_s).max(0);
            (entry_s, entry_s + length_s)
        })
    }

    fn zones() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("Asia/Shanghai"),
            Just("America/New_York"),
            Just("Australia/Lord_Howe"),
            Just("Africa/Casablanca")
        ]
    }

    fn agrees(tariff: &Tariff, (entry_s, exit_s): (i64, i64)) -> Result<(), TestCaseError> {
        let stay = Stay {
            entry_s,
            exit_s,
            class: None,
            tags: &[],
        };
        let walked = tariff.settle(&stay, &Terms::default(), &mut History::default());
        prop_assert_eq!(tariff.price_minor(&stay), walked.map(|fee| fee.fee_minor));
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn one_price_at_all_times_costs_in_closed_form_what_the_meter_says(
            zone in zones(),
            stay in stays(),
            unit in prop_oneof![Just("20s"), Just("7m"), Just("20m"), Just("1h"), Just("90m"), Just("24h")],
            windows in prop_oneof![
                Just("cycle: stay"),
                Just("cycle: stay, caps: [{max: 900, over: stay}]"),
                Just("cycle: stay, free: {minutes: 35}, caps: [{max: 900, over: {every: 1440}}]"),
                Just("cycle: stay, caps: [{max: 900, over: {daily: '00:00'}}]"),
                Just("cycle: stay, grace: {minutes: 9}, free: {minutes: 50}, caps: [{max: 900, over: {daily: '02:30'}}]"),
                Just("cycle: {every: 1440}, min: 150, caps: [{max: 900, over: cycle}]"),
                Just("cycle: {every: 601m}"),
            ],
        ) {
            let tariff = tariff(zone, windows, &format!("{{id: b, ladder: [{{unit: {unit}, price: 70}}]}}"));
            let needs_whole_units = windows.contains("daily") || windows.contains("1440}}");
            let has_form = tariff.compiled[0].flat.is_some();
            prop_assert_eq!(has_form, !(needs_whole_units && unit == "7m"), "{} {}", windows, unit);
            agrees(&tariff, stay)?;
        }

        #[test]
        fn bands_of_the_week_cost_in_closed_form_what_the_meter_says(
            zone in zones(),
            stay in stays(),
            ladder in prop_oneof![
                Just("{unit: 30, price: 500, for: 60}, {unit: 30, price: 600}"),
                Just("{unit: 20s, price: 1}"),
                Just("{unit: 60, price: 100, for: 120}, {unit: all, price: 900}"),
                Just("{unit: 7, price: 30, for: 21}"),
                Just("{unit: 30, price: 80, bill: 1}"),
            ],
            fields in prop_oneof![
                Just("cycle: stay"),
                Just("cycle: stay, free: {minutes: 95}, caps: [{max: 800, over: occurrence, bands: [x]}]"),
                Just("cycle: stay, grace: {minutes: 15, strict: true}, caps: [{max: 800, over: occurrence}, {max: 700, over: \
                      occurrence, bands: [x, y]}]"),
            ],
            rest in prop_oneof![
                Just(""),
                Just(", {id: z, when: {days: [sun]}, ladder: []}, {id: w, ladder: [{unit: all, price: 250}]}"),
            ],
        ) {
            let bands = format!(
                "{{id: x, when: {{from: '08:00', to: '20:00', days: [mon-sat]}}, ladder: [{ladder}]}}, {{id: y, when: {{from: \
                 '22:15', to: '06:00', days: [fri-sun]}}, ladder: [{{unit: 60, price: 200}}]}}{rest}"
            );
            let tariff = tariff(zone, fields, &bands);
            prop_assert!(tariff.compiled[0].steady.is_some());
            agrees(&tariff, stay)?;
        }
    }

    #[test]
    fn what_has_no_closed_form_is_walked() {
        let band = "{id: x, when: {from: '08:00', to: '20:00'}, ladder: [{unit: 45, price: 5, for: 60}, {unit: 30, price: 6}]}";
        for (fields, bands) in [
            ("cycle: stay", band),
            ("cycle: stay, entry_fee: 5", &band.replace("45", "30")),
            ("cycle: {daily: '00:00'}", &band.replace("45", "30")),
            ("cycle: stay, caps: [{max: 9, over: stay}]", &band.replace("45", "30")),
            (
                "cycle: stay, caps: [{max: [9, 8], over: occurrence}]",
                &band.replace("45", "30"),
            ),
        ] {
            let compiled = &tariff("Asia/Shanghai", fields, bands).compiled[0];
            assert!(compiled.steady.is_none() && compiled.flat.is_none(), "{fields} {bands}");
        }
    }
}
